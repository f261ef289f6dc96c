"""The one place where product code reads the time or waits.

Everything else takes `now` as an argument; the edges (tasks, views, commands) call `now()` once and pass it in.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment as an aware UTC datetime."""
    return datetime.now(tz=UTC)


def monotonic_s() -> float:
    """Return seconds of a clock that never goes back, for durations only."""
    return time.monotonic()


def sleep_s(duration_s: float) -> None:
    """Wait for `duration_s` seconds; for loops of commands, never inside a task or a request."""
    time.sleep(duration_s)
