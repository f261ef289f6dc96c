"""Buckets of the time to the scheduled close, so that like is compared with like."""

from __future__ import annotations

from datetime import timedelta

BUCKETS: tuple[tuple[str, timedelta], ...] = (
    ("under 5m", timedelta(minutes=5)),
    ("5m-15m", timedelta(minutes=15)),
    ("15m-1h", timedelta(hours=1)),
    ("1h-6h", timedelta(hours=6)),
    ("6h-24h", timedelta(hours=24)),
    ("1d-7d", timedelta(days=7)),
)
LONGEST = "over 7d"
NAMES = (*(name for name, _ in BUCKETS), LONGEST)


def horizon_of(time_left: timedelta, *, speed: float) -> str:
    """Name the bucket of `time_left`. In a world played at `speed`, a second is that many of the market's own."""
    own_time = time_left * speed
    return next((name for name, end in BUCKETS if own_time < end), LONGEST)
