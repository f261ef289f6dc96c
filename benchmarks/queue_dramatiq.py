"""Dramatiq on Redis: its own defaults (JSON, acknowledged after the work, its usual middleware)."""

from __future__ import annotations

import os
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.queue_marks import mark

dramatiq.set_broker(RedisBroker(url=os.environ.get("REDIS_URL")))  # type: ignore[no-untyped-call]  # half typed


@dramatiq.actor
def nothing(sent_ns: int) -> None:
    """Say that it ran."""
    mark(sent_ns)


def plain(count: int) -> None:
    """Send so many."""
    for _ in range(count):
        nothing.send(time.monotonic_ns())


SENDERS = {"plain": plain}
