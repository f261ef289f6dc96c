"""State for one process: tests, tools, and the spare when the shared store is gone."""

from __future__ import annotations

import threading

from apps.resilience import breaker, limiter
from apps.resilience.breaker import Admission, BreakerRule, BreakerState, Verdict
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.limiter import MICROSECONDS, Feedback, Pace, PaceState, Reservation


class MemoryStore:
    """Keeps states in dictionaries under one lock; safe between threads, blind to other processes."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._paces: dict[str, PaceState] = {}
        self._breakers: dict[str, BreakerState] = {}

    async def reserve(self, key: str, pace: Pace, *, wait_s_max: float) -> Reservation:
        """Take the next free slot of `key` if it lies within `wait_s_max`."""
        with self._lock:
            state = self._paces.get(key, PaceState())
            wait_us_max = int(wait_s_max * MICROSECONDS)
            self._paces[key], reservation = limiter.reserve(state, pace, now_us=self._now_us(), wait_us_max=wait_us_max)
        return reservation

    async def adapt(self, key: str, pace: Pace, feedback: Feedback, *, retry_after_s: float | None = None) -> None:
        """Tell the limiter of `key` what the other side answered."""
        with self._lock:
            state = self._paces.get(key, PaceState())
            self._paces[key] = limiter.adapt(state, pace, feedback, now_us=self._now_us(), retry_after_s=retry_after_s)

    async def look_pace(self, key: str) -> PaceState:
        """Return the limiter's state without changing it."""
        with self._lock:
            return self._paces.get(key, PaceState())

    async def admit(self, key: str, rule: BreakerRule) -> Admission:
        """Ask the breaker of `key` whether a call may go."""
        with self._lock:
            state = self._breakers.get(key, BreakerState())
            self._breakers[key], admission = breaker.admit(state, rule, now_us=self._now_us())
        return admission

    async def report(self, key: str, rule: BreakerRule, verdict: Verdict, *, generation: int) -> BreakerState:
        """Tell the breaker of `key` how the call went and return its state."""
        with self._lock:
            state = self._breakers.get(key, BreakerState())
            state = breaker.report(state, rule, verdict, generation=generation, now_us=self._now_us())
            self._breakers[key] = state
        return state

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the breaker's state without changing it."""
        with self._lock:
            return self._breakers.get(key, BreakerState())

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` and forget its limiter's adaptations and pauses."""
        with self._lock:
            self._breakers[key] = breaker.reset(self._breakers.get(key, BreakerState()))
            state = self._paces.get(key, PaceState())
            self._paces[key] = PaceState(arrival_us=state.arrival_us)

    async def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._paces.clear()
            self._breakers.clear()

    def _now_us(self) -> int:
        return int(self._clock.now_s() * MICROSECONDS)
