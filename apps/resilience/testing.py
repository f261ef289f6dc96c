"""For tests of code that uses the kit: a clock that jumps, and a way to wait for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apps.resilience.clock import SystemClock


class FakeClock:
    """A clock that moves only when told to, or when somebody sleeps on it; `slept_s` keeps every sleep."""

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._now_s = start_s
        self.slept_s: list[float] = []

    def now_s(self) -> float:
        """Return the clock's present."""
        return self._now_s

    def monotonic_s(self) -> float:
        """Return the clock's present; it never goes back."""
        return self._now_s

    async def sleep_s(self, duration_s: float) -> None:
        """Jump ahead instead of waiting."""
        self.slept_s.append(duration_s)
        self.advance(max(0.0, duration_s))

    def advance(self, duration_s: float) -> None:
        """Move the clock ahead. Raises ValueError for a step back."""
        if duration_s < 0:
            raise ValueError("a clock does not go back")
        self._now_s += duration_s


@contextmanager
def no_waiting() -> Iterator[list[float]]:
    """Let every sleep of the system's clock return at once within the block; yields the sleeps that were asked for."""
    original = SystemClock.sleep_s
    asked_s: list[float] = []

    async def at_once(_clock: SystemClock, duration_s: float) -> None:
        asked_s.append(duration_s)

    setattr(SystemClock, "sleep_s", at_once)  # noqa: B010  # a patched method, put back below
    try:
        yield asked_s
    finally:
        setattr(SystemClock, "sleep_s", original)  # noqa: B010
