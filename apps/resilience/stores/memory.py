"""State for one process: tests, tools, and the spare when the shared store is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from apps.resilience import breaker, limiter
from apps.resilience.breaker import Admission, BreakerRule, BreakerState, Verdict
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.learning import Trail
from apps.resilience.limiter import WAIT_S_MAX, Feedback, Pace, PaceState, Reservation
from apps.resilience.paced_slot import LATE_US_MAX, PaidSlot
from apps.resilience.processes import fresh_token
from apps.resilience.windows import MICROSECONDS, Tally

TTL_US = 86_400 * MICROSECONDS  # a day without a call and a key is forgotten, with what was learned of it


@dataclass(slots=True)
class Kept:
    """What is kept of one key."""

    pace: PaceState = field(default_factory=PaceState)
    trail: Trail = field(default_factory=Trail)
    breaker: BreakerState = field(default_factory=BreakerState)
    used_us: int = 0

    def take(self, pace: Pace, *, wait_us_max: int, count: int) -> Reservation:
        """Take as many of the next `count` slots as lie within the wait."""
        self.pace, reservation = limiter.reserve(
            self.pace, pace, self.trail, now_us=self.used_us, wait_us_max=wait_us_max, count=count
        )
        return reservation


class MemoryStore:
    """Keeps states in dictionaries under one lock; safe between threads, blind to other processes."""

    processes = 1

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}

    async def reserve(self, key: str, pace: Pace, *, wait_s_max: float, count: int = 1) -> Reservation:
        """Take as many of the next `count` slots of `key` as lie within `wait_s_max`."""
        wait_us_max = int(min(wait_s_max, WAIT_S_MAX) * MICROSECONDS)
        with self.kept_of(key) as kept:
            return kept.take(pace, wait_us_max=wait_us_max, count=count)

    @contextmanager
    def kept_of(self, key: str) -> Iterator[Kept]:
        """Hold what is kept of one key against other threads, for what must be one step with taking slots."""
        with self._lock:
            yield self._of(key)

    async def adapt(
        self,
        key: str,
        pace: Pace,
        feedback: Feedback,
        *,
        retry_after_s: float | None = None,
        successes: int = 0,
        slowdowns: int | None = None,
    ) -> None:
        """Tell the limiter of `key` what the other side answered."""
        with self._lock:
            kept = self._of(key)
            kept.pace = limiter.adapt(
                kept.pace,
                pace,
                kept.trail,
                feedback,
                now_us=kept.used_us,
                retry_after_s=retry_after_s,
                successes=successes,
                slowdowns=slowdowns,
            )

    async def look_pace(self, key: str) -> PaceState:
        """Return the limiter's state without changing it."""
        with self._lock:
            return self._kept.get(key, Kept()).pace

    async def redeem(self, key: str, slot: PaidSlot) -> bool:
        """Say whether a slot that was taken beforehand is still worth a call."""
        with self.kept_of(key) as kept:
            return limiter.is_redeemable(
                kept.pace, at_us=slot.at_us, slowdowns=slot.slowdowns, now_us=kept.used_us, late_us_max=LATE_US_MAX
            )

    async def set_override(self, key: str, interval_us: int) -> None:
        """Set the interval that no caller of `key` may fall below; 0 lifts it."""
        with self.kept_of(key) as kept:
            kept.pace = replace(kept.pace, override_us=interval_us)

    async def admit(self, key: str, rule: BreakerRule) -> Admission:
        """Ask the breaker of `key` whether a call may go."""
        with self._lock:
            kept = self._of(key)
            kept.breaker, admission = breaker.admit(kept.breaker, rule, now_us=kept.used_us, token=fresh_token())
        return admission

    async def renew(self, key: str, rule: BreakerRule, *, token: str) -> None:
        """Prolong the lease of a probe that is still on its way."""
        with self._lock:
            kept = self._of(key)
            kept.breaker = breaker.renew(kept.breaker, rule, now_us=kept.used_us, token=token)

    async def report(
        self,
        key: str,
        rule: BreakerRule,
        verdict: Verdict,
        *,
        generation: int,
        token: str = "",
        tally: Tally | None = None,
        saved: int = 0,
    ) -> BreakerState:
        """Tell the breaker of `key` how the call went and return its state."""
        with self._lock:
            kept = self._of(key)
            kept.breaker = breaker.report(
                kept.breaker,
                rule,
                verdict,
                generation=generation,
                now_us=kept.used_us,
                token=token,
                tally=tally,
                saved=saved,
            )
            return replace(kept.breaker, seen_us=kept.used_us)

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the breaker's state without changing it."""
        with self._lock:
            return replace(self._kept.get(key, Kept()).breaker, seen_us=self.now_us())

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` and forget its limiter's adaptations, pauses and lessons."""
        with self._lock:
            kept = self._of(key)
            kept.breaker = breaker.reset(kept.breaker)
            kept.pace = limiter.reset(kept.pace)

    async def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def _of(self, key: str) -> Kept:
        now_us = self.now_us()
        kept = self._kept.get(key)
        if kept is None or now_us - kept.used_us > TTL_US:
            kept = self._kept[key] = Kept()
        kept.used_us = now_us
        return kept

    def now_us(self) -> int:
        """Return the present on this store's clock, in microseconds."""
        return int(self._clock.now_s() * MICROSECONDS)
