"""What the broker must be before the queue relies on it: a server that keeps every message. `doctor` goes by the same rule."""

from __future__ import annotations

import sys
from typing import Any

import structlog
from celery import current_app
from celery.signals import beat_init, worker_init, worker_ready
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from apps.monitoring.queues import may_evict_messages

log = structlog.get_logger(__name__)

EXIT_CODE = 2


def eviction_policy() -> str:
    """Return the broker's maxmemory-policy. Raises OperationalError, RedisError or OSError when it cannot be asked."""
    with current_app.connection_for_read() as connection:
        channel: Any = connection.default_channel  # of kombu's Redis transport
        return str(channel.client.info("memory").get("maxmemory_policy", ""))


def evicting_line(policy: str) -> str:
    """Return the line that tells an operator why a broker with this maxmemory-policy is refused."""
    return (
        f"the broker's maxmemory-policy is {policy}, which evicts waiting messages: set noeviction, or give the cache its "
        "own server (CACHE_REDIS_URL)"
    )


@worker_init.connect
@worker_ready.connect
@beat_init.connect
def refuse_evicting_broker(**_: Any) -> None:
    """End the process with 2 and one line when the broker may evict messages.

    A broker that is away at the start is asked again once the worker has reached it.
    """
    try:
        policy = eviction_policy()
    except (OperationalError, RedisError, OSError) as error:
        log.warning("broker_policy_unknown", error=type(error).__name__)
        return
    if may_evict_messages(policy):
        sys.stderr.write(f"{evicting_line(policy)}\n")
        raise SystemExit(EXIT_CODE)
