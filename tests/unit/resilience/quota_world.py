"""Vendors that allow fewer calls than they publish, and a busy caller under the limiter: a simulation without waiting."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from apps.resilience import limiter
from apps.resilience.learning import Trail
from apps.resilience.limiter import SUCCESSES_PER_STEP, Feedback, Pace, PaceState, Reservation
from apps.resilience.windows import MICROSECONDS

MINUTE_US = 60 * MICROSECONDS
LATENCY_S = 0.1
START_US = 1_700_000_000 * MICROSECONDS


class Vendor(Protocol):
    """Answers a call with None, or with the seconds until the next one may come."""

    def ask(self, now_us: int) -> float | None: ...


class FixedWindow:
    """Counts by its own minutes, which begin when nobody knows."""

    def __init__(self, quota: int, chance: random.Random) -> None:
        self.quota, self.phase_us = quota, chance.randrange(MINUTE_US)
        self.minute, self.count = -1, 0

    def ask(self, now_us: int) -> float | None:
        minute = (now_us + self.phase_us) // MINUTE_US
        if minute != self.minute:
            self.minute, self.count = minute, 0
        if self.count < self.quota:
            self.count += 1
            return None
        return ((minute + 1) * MINUTE_US - self.phase_us - now_us) / MICROSECONDS


class SlidingWindow:
    """Allows so many calls in the sixty seconds before any moment."""

    def __init__(self, quota: int, chance: random.Random) -> None:
        self.quota = quota
        self.granted_us: deque[int] = deque()

    def ask(self, now_us: int) -> float | None:
        while self.granted_us and self.granted_us[0] <= now_us - MINUTE_US:
            self.granted_us.popleft()
        if len(self.granted_us) < self.quota:
            self.granted_us.append(now_us)
            return None
        return (self.granted_us[0] + MINUTE_US - now_us) / MICROSECONDS


class DeepBucket:
    """A token bucket that holds a whole minute's quota."""

    depth = 1.0

    def __init__(self, quota: int, chance: random.Random) -> None:
        self.quota, self.tokens_max = quota, max(1.0, quota * self.depth)
        self.tokens, self.filled_us = self.tokens_max, 0

    def ask(self, now_us: int) -> float | None:
        earned = (now_us - self.filled_us) * self.quota / MINUTE_US
        self.tokens, self.filled_us = min(self.tokens_max, self.tokens + earned), now_us
        if self.tokens >= 1:
            self.tokens -= 1
            return None
        return (1 - self.tokens) * 60 / self.quota


class ShallowBucket(DeepBucket):
    """A token bucket that holds a tenth of a minute's quota."""

    depth = 0.1


@dataclass
class Caller:
    """So many workers that ask, wait, send and tell, as `limiters.Limiter` does; counts apart what came while learning."""

    vendor: Vendor
    pace: Pace
    tells_retry_after: bool
    chance: random.Random
    learning_us: int
    now_us: int = START_US
    state: PaceState = field(default_factory=PaceState)
    trail: Trail = field(default_factory=Trail)
    good: int = 0
    refused: int = 0
    _gathered: int = 0
    _told_us: int = 0
    _trouble_from: int = 0
    _is_well: bool = True
    _heard: int = 0

    def run(self, *, workers: int, minutes: int) -> None:
        """Play so many minutes more: events are (moment, number, what is due, its data)."""
        until_us = self.now_us + minutes * MINUTE_US
        events: list[tuple[int, int, str, object]] = [(self.now_us, number, "reserve", None) for number in range(workers)]
        number = workers
        while True:
            now_us, _, due, data = heapq.heappop(events)
            if now_us > until_us:
                self.now_us = until_us
                return
            number += 1
            delay_us, due, data = getattr(self, f"_{due}")(now_us, data)
            heapq.heappush(events, (now_us + delay_us, number, due, data))

    def _reserve(self, now_us: int, _nothing: object) -> tuple[int, str, object]:
        self.state, reservation = limiter.reserve(self.state, self.pace, self.trail, now_us=now_us, wait_us_max=10**12)
        return round(reservation.wait_s * MICROSECONDS), "send", (reservation, self._heard)

    def _send(self, now_us: int, taken: tuple[Reservation, int]) -> tuple[int, str, object]:
        reservation, heard = taken
        if heard != self._heard and now_us < self.state.paused_until_us:
            return 0, "reserve", None
        wait_s = self.vendor.ask(now_us)
        return round(LATENCY_S * (0.5 + self.chance.random()) * MICROSECONDS), "hear", (reservation, wait_s)

    def _hear(self, now_us: int, heard: tuple[Reservation, float | None]) -> tuple[int, str, object]:
        reservation, wait_s = heard
        counts = now_us > START_US + self.learning_us
        if wait_s is None:
            self.good += counts
            self._succeeded(now_us, reservation)
        else:
            self.refused += counts
            self._was_refused(now_us, reservation, wait_s)
        return 0, "reserve", None

    def _succeeded(self, now_us: int, reservation: Reservation) -> None:
        if reservation.slowdowns < self._trouble_from:
            return
        self._is_well = True
        self._gathered += 1
        if self._gathered >= SUCCESSES_PER_STEP or now_us - self._told_us >= MINUTE_US // 10:
            self._tell(now_us, Feedback.SUCCESS, successes=self._gathered - 1)

    def _was_refused(self, now_us: int, reservation: Reservation, wait_s: float) -> None:
        if self._is_well:
            self._trouble_from, self._is_well = max(self._trouble_from, reservation.slowdowns + 1), False
        self._heard += 1
        retry_after_s = float(math.ceil(wait_s)) if self.tells_retry_after else None
        slowdowns = reservation.slowdowns
        self._tell(now_us, Feedback.RATE_LIMIT, successes=self._gathered, retry_after_s=retry_after_s, slowdowns=slowdowns)

    def _tell(self, now_us: int, feedback: Feedback, **known: object) -> None:
        self._gathered, self._told_us = 0, now_us
        self.state = limiter.adapt(self.state, self.pace, self.trail, feedback, now_us=now_us, **known)  # type: ignore[arg-type]
