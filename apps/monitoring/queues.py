"""Looking into the broker: how deep the queues are and when the clockwork last ticked."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django_redis import get_redis_connection
from kombu.transport.redis import Channel

HEARTBEAT_KEY = "heartbeat:celery"
# The tick comes every few seconds; a minute without one means that beat, the broker or all workers are gone.
HEARTBEAT_EXPIRY_S = 60
# After a gap of this length, three ticks, the clockwork counts as started anew.
STEADY_KEY = "heartbeat:steady"
STEADY_S = 30
# What waited while the desk was down is not held against queues whose workers have just started.
STARTING_KEY = "heartbeat:starting"
STARTING_S = 60
EVICTS_ANY_KEY = "allkeys-"
EVICTS_EXPIRING_KEYS = "volatile-"


def may_evict_messages(policy: str) -> bool:
    """Say whether a broker with this maxmemory-policy may throw waiting messages away.

    One that may evict any key was seen to lose a whole queue in silence. Policies of the `volatile-` kind take only keys
    that expire; messages never do.
    """
    return policy.startswith(EVICTS_ANY_KEY)


def may_evict_limits(policy: str) -> bool:
    """Say whether a server with this maxmemory-policy may forget limits, breakers and locks of the kit, which expire."""
    return policy.startswith((EVICTS_ANY_KEY, EVICTS_EXPIRING_KEYS))


def queue_depths() -> dict[str, int]:
    """Return the number of messages waiting in each queue, in all its lanes, in one round trip.

    Raises redis errors when the broker is away.
    """
    lanes = [(queue.name, key) for queue in settings.CELERY_TASK_QUEUES for key in lanes_of(queue.name)]
    pipe = get_redis_connection("strict").pipeline(transaction=False)
    for _, key in lanes:
        pipe.llen(key)
    depths: Counter[str] = Counter()
    for (name, _), waiting in zip(lanes, pipe.execute(), strict=True):
        depths[name] += waiting
    return dict(depths)


def lanes_of(queue: str) -> list[str]:
    """Return the keys of a queue's lists in the broker, that which is emptied first before the others."""
    options: dict[str, Any] = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    return [f"{options['global_keyprefix']}{queue}{f'{Channel.sep}{step}' if step else ''}" for step in options["priority_steps"]]


def last_heartbeat() -> datetime | None:
    """Return when the clockwork last ticked; None when the note has gone out. Raises when Redis is away."""
    noted = caches["strict"].get(HEARTBEAT_KEY)
    return datetime.fromisoformat(noted) if noted else None


def is_starting() -> bool:
    """Say whether the clockwork began to tick, or ticked again after a gap, within STARTING_S. Raises when Redis is away."""
    return caches["strict"].get(STARTING_KEY) is not None


def cache_hit_rate() -> float | None:
    """Return hits / (hits + misses) of the cache's server since its start; None before the first look-up."""
    figures = get_redis_connection("default").info("stats")
    hits, misses = figures["keyspace_hits"], figures["keyspace_misses"]
    return hits / (hits + misses) if hits + misses else None
