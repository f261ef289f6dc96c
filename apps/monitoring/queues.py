"""Looking into the broker: how deep the queues are and when the clockwork last ticked."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.cache import caches
from django_redis import get_redis_connection

HEARTBEAT_KEY = "heartbeat:celery"
# The tick comes every few seconds; a minute without one means that beat, the broker or all workers are gone.
HEARTBEAT_EXPIRY_S = 60


def queue_depths() -> dict[str, int]:
    """Return the number of messages waiting in each queue, in one round trip. Raises redis errors when it is away."""
    prefix = str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"])
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    pipe = get_redis_connection("strict").pipeline(transaction=False)
    for name in names:
        pipe.llen(f"{prefix}{name}")
    return dict(zip(names, pipe.execute(), strict=True))


def last_heartbeat() -> datetime | None:
    """Return when the clockwork last ticked; None when the note has gone out. Raises when Redis is away."""
    noted = caches["strict"].get(HEARTBEAT_KEY)
    return datetime.fromisoformat(noted) if noted else None


def cache_hit_rate() -> float | None:
    """Return hits / (hits + misses) of the cache's server since its start; None before the first look-up."""
    figures = get_redis_connection("default").info("stats")
    hits, misses = figures["keyspace_hits"], figures["keyspace_misses"]
    return hits / (hits + misses) if hits + misses else None
