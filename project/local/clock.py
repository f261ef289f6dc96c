"""Time as process supervision needs it: durations and short pauses."""

from __future__ import annotations

import time


def monotonic_s() -> float:
    """Return seconds of a clock that never goes back."""
    return time.monotonic()


def pause_s(duration_s: float) -> None:
    """Wait for `duration_s` seconds, whatever happens."""
    time.sleep(duration_s)
