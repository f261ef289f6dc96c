"""The sign of life of beat, broker and workers together: a tick that went through all three."""

from __future__ import annotations

from datetime import datetime

from django.core.cache import caches

from apps.core.db import durable
from apps.monitoring.queues import HEARTBEAT_EXPIRY_S, HEARTBEAT_KEY, STARTING_KEY, STARTING_S, STEADY_KEY, STEADY_S


@durable
def beat_heartbeat(*, now: datetime) -> None:
    """Note in Redis that a tick was run at `now`; the note goes out by itself after HEARTBEAT_EXPIRY_S.

    The first tick, and one after a gap of STEADY_S, notes besides that the desk is starting. Redis measures both times.
    """
    notes = caches["strict"]
    if notes.get(STEADY_KEY) is None:
        notes.set(STARTING_KEY, now.isoformat(), timeout=STARTING_S)
    notes.set(STEADY_KEY, now.isoformat(), timeout=STEADY_S)
    notes.set(HEARTBEAT_KEY, now.isoformat(), timeout=HEARTBEAT_EXPIRY_S)
