"""A shared store with a spare: when it is gone, the spare answers for this process and the fact is counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from apps.resilience.breaker import Admission, BreakerRule, BreakerState, Verdict
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import StoreUnavailable
from apps.resilience.hooks import Hook, StoreFellBack, tell
from apps.resilience.limiter import Feedback, Pace, PaceState, Reservation
from apps.resilience.ports import Store

T = TypeVar("T")
HOLIDAY_S = 1.0  # after a failure the shared store is left alone this long, so that each call does not wait for it


class FallbackStore:
    """Asks `shared`; when it is away, `spare`. `fallbacks` counts the answers of the spare.

    While the shared store is away every process keeps its own pace: the published quota then holds per process.
    """

    def __init__(self, shared: Store, spare: Store, *, clock: Clock | None = None, hooks: Sequence[Hook] = ()) -> None:
        self._shared = shared
        self._spare = spare
        self._clock = clock or SystemClock()
        self._hooks = hooks
        self._away_until_s = float("-inf")
        self.fallbacks = 0

    async def reserve(self, key: str, pace: Pace, *, wait_s_max: float) -> Reservation:
        """Take the next free slot of `key` if it lies within `wait_s_max`."""
        return await self._ask("reserve", lambda store: store.reserve(key, pace, wait_s_max=wait_s_max))

    async def adapt(self, key: str, pace: Pace, feedback: Feedback, *, retry_after_s: float | None = None) -> None:
        """Tell the limiter of `key` what the other side answered."""
        await self._ask("adapt", lambda store: store.adapt(key, pace, feedback, retry_after_s=retry_after_s))

    async def look_pace(self, key: str) -> PaceState:
        """Return the limiter's state without changing it."""
        return await self._ask("look_pace", lambda store: store.look_pace(key))

    async def admit(self, key: str, rule: BreakerRule) -> Admission:
        """Ask the breaker of `key` whether a call may go."""
        return await self._ask("admit", lambda store: store.admit(key, rule))

    async def report(self, key: str, rule: BreakerRule, verdict: Verdict, *, generation: int) -> BreakerState:
        """Tell the breaker of `key` how the call went and return its state."""
        return await self._ask("report", lambda store: store.report(key, rule, verdict, generation=generation))

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the breaker's state without changing it."""
        return await self._ask("look_breaker", lambda store: store.look_breaker(key))

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` and forget its limiter's adaptations and pauses."""
        await self._ask("reset", lambda store: store.reset(key))

    async def close(self) -> None:
        """Let go of connections."""
        await self._shared.close()
        await self._spare.close()

    async def _ask(self, verb: str, question: Callable[[Store], Awaitable[T]]) -> T:
        if self._clock.monotonic_s() >= self._away_until_s:
            try:
                return await question(self._shared)
            except StoreUnavailable:
                self._away_until_s = self._clock.monotonic_s() + HOLIDAY_S
        self.fallbacks += 1
        tell(self._hooks, StoreFellBack(verb=verb, count=self.fallbacks))
        return await question(self._spare)
