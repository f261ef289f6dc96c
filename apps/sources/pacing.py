"""The paced queue of the desk: what waits for slots of sources, and at which pace each of them is asked."""

from __future__ import annotations

import os
import threading

from django.conf import settings

from apps.resilience import Pace, PacedQueue, RedisPaced
from apps.sources import registry

# Told apart by process, since connections do not survive a fork.
_queues: dict[tuple[int, str], PacedQueue] = {}
_making = threading.Lock()


def paced_queue() -> PacedQueue:
    """Return this process's way to what waits, made on first use. It lies beside the pace of the sources' limiters."""
    key = (os.getpid(), settings.KIT_REDIS_URL)
    with _making:
        if key not in _queues:
            _queues[key] = PacedQueue(RedisPaced(key[1]))
        return _queues[key]


def pace_of(source: str) -> Pace | None:
    """Return the pace of a source as its limiter keeps it; None for what is no source."""
    vendor = registry.VENDORS.get(source)
    return None if vendor is None else Pace.per_minute(registry.quota_of(vendor))
