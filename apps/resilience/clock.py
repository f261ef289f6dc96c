"""Time and chance as parameters: what the kit asks of a clock, and what the machine has."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits. `testing.FakeClock` does both without waiting."""

    def now_s(self) -> float:
        """Return the seconds since 1970-01-01 UTC, for moments."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back, for durations."""
        ...

    async def sleep_s(self, duration_s: float) -> None:
        """Wait without holding a thread."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now_s(self) -> float:
        """Return the seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def sleep_s(self, duration_s: float) -> None:
        """Wait for `duration_s` seconds; nothing for zero or less."""
        if duration_s > 0:
            await asyncio.sleep(duration_s)


async def wait_really_s(duration_s: float) -> None:
    """Wait in real time, whatever clock is in use: for leases, which other processes watch with clocks of their own."""
    await asyncio.sleep(duration_s)


def chance() -> float:
    """Return a number in [0, 1), for the jitter of delays; not for secrets."""
    return random.random()  # noqa: S311  # jitter, not a secret
