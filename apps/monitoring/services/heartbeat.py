"""The sign of life of beat, broker and workers together: a tick that went through all three."""

from __future__ import annotations

from datetime import datetime

from django.core.cache import caches

from apps.core.db import durable
from apps.monitoring.queues import HEARTBEAT_EXPIRY_S, HEARTBEAT_KEY


@durable
def beat_heartbeat(*, now: datetime) -> None:
    """Note in Redis that a tick was run at `now`; the note goes out by itself after HEARTBEAT_EXPIRY_S."""
    caches["strict"].set(HEARTBEAT_KEY, now.isoformat(), timeout=HEARTBEAT_EXPIRY_S)
