"""How old things may be. Pure."""

from __future__ import annotations

from datetime import timedelta

FORECAST_AGE_MAX_S = 3600.0
BOOK_AGE_MAX_S = 1800.0
# Backups follow the calendar and not the world: one a day, and two hours of grace.
BACKUP_AGE_MAX = timedelta(hours=26)
# How long work may wait for a worker, by queue, whatever the speed of the world. A backup may run for an hour, and the next
# one waits for it.
WAIT_MAX_S = {"money": 10.0, "backup": 3600.0}
OTHER_WAIT_MAX_S = 120.0
# However fast the world plays, a small machine under load may take this long for a round.
SHORTEST_S = 30.0


def limit_s(age_max_s: float, *, speed: float) -> float:
    """Return the age limit in seconds in a world that runs `speed` times as fast as life."""
    return max(SHORTEST_S, age_max_s / speed)


def is_fresh(age_s: float | None, age_max_s: float, *, speed: float) -> bool:
    """Return whether something of this age still counts; what never was is not fresh."""
    return age_s is not None and age_s <= limit_s(age_max_s, speed=speed)


def wait_max_s(queue: str) -> float:
    """Return for how many seconds work of a queue may wait."""
    return WAIT_MAX_S.get(queue, OTHER_WAIT_MAX_S)
