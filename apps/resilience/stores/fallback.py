"""A shared store with a spare: when it is gone, the spare answers for this process and the fact is counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from apps.resilience.breaker import Admission, BreakerRule, BreakerState, Verdict
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import StoreUnavailable
from apps.resilience.hooks import Hook, StoreFellBack, tell
from apps.resilience.limiter import Feedback, Pace, PaceState, Reservation
from apps.resilience.paced_slot import PaidSlot
from apps.resilience.ports import Store
from apps.resilience.windows import Tally

T = TypeVar("T")
HOLIDAY_S = 1.0  # after a failure the shared store is left alone this long, so that each call does not wait for it


class FallbackStore:
    """Asks `shared`; when it is away, `spare`. `fallbacks` counts the answers of the spare.

    While the shared store is away every process keeps a pace of its own: the quota divided by the number of processes
    that the store had last seen, or by `processes_known` when that is more. Set it to the number of processes that
    are going to run; its default of 1 holds only for a single process until the store was seen once. What the
    shared store had learned holds on: no process goes faster than its share of the last shared interval.
    """

    def __init__(
        self,
        shared: Store,
        spare: Store,
        *,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        processes_known: int = 1,
    ) -> None:
        self._shared = shared
        self._spare = spare
        self._clock = clock or SystemClock()
        self._hooks = hooks
        self._processes_known = processes_known
        self._intervals_s: dict[str, float] = {}
        self._away_until_s = float("-inf")
        self.fallbacks = 0

    @property
    def processes(self) -> int:
        """How many processes share the pace, as far as known."""
        return max(self._processes_known, self._shared.processes)

    async def reserve(self, key: str, pace: Pace, *, wait_s_max: float, count: int = 1) -> Reservation:
        """Take as many of the next `count` slots of `key` as lie within `wait_s_max`."""

        async def shared(store: Store) -> Reservation:
            reservation = await store.reserve(key, pace, wait_s_max=wait_s_max, count=count)
            self._intervals_s[key] = reservation.interval_s
            return reservation

        share = self._share_of(key, pace)
        return await self._ask("reserve", shared, lambda store: store.reserve(key, share, wait_s_max=wait_s_max, count=count))

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

        def told(pace: Pace, slowdowns: int | None) -> Callable[[Store], Awaitable[None]]:
            return lambda store: store.adapt(
                key, pace, feedback, retry_after_s=retry_after_s, successes=successes, slowdowns=slowdowns
            )

        # The spare counts its own slowdowns: those of the shared store mean nothing to it.
        await self._ask("adapt", told(pace, slowdowns), told(self._share_of(key, pace), None))

    async def look_pace(self, key: str) -> PaceState:
        """Return the limiter's state without changing it."""
        return await self._ask("look_pace", lambda store: store.look_pace(key))

    async def redeem(self, key: str, slot: PaidSlot) -> bool:
        """Say whether a slot is still worth a call; never while the shared store that gave it is away."""

        async def refused(_: Store) -> bool:
            return False

        return await self._ask("redeem", lambda store: store.redeem(key, slot), refused)

    async def set_override(self, key: str, interval_us: int) -> None:
        """Set the interval that no caller of `key` may fall below; 0 lifts it. The spare keeps this process's share of it."""
        self._intervals_s.pop(key, None)

        async def told(_: Store) -> None:
            await self._spare.set_override(key, interval_us * self.processes)

        await told(self._spare)
        await self._ask("set_override", lambda store: store.set_override(key, interval_us), told)

    async def admit(self, key: str, rule: BreakerRule) -> Admission:
        """Ask the breaker of `key` whether a call may go."""
        return await self._ask("admit", lambda store: store.admit(key, rule))

    async def renew(self, key: str, rule: BreakerRule, *, token: str) -> None:
        """Prolong the lease of a probe that is still on its way."""
        await self._ask("renew", lambda store: store.renew(key, rule, token=token))

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

        async def told(store: Store) -> BreakerState:
            return await store.report(key, rule, verdict, generation=generation, token=token, tally=tally, saved=saved)

        return await self._ask("report", told)

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the breaker's state without changing it."""
        return await self._ask("look_breaker", lambda store: store.look_breaker(key))

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` and forget its limiter's adaptations, pauses and lessons."""
        self._intervals_s.pop(key, None)
        await self._ask("reset", lambda store: store.reset(key))

    async def close(self) -> None:
        """Let go of connections."""
        await self._shared.close()
        await self._spare.close()

    def _share_of(self, key: str, pace: Pace) -> Pace:
        return pace.divided(self.processes).slowed_to(self._intervals_s.get(key, 0.0) * self.processes)

    async def _ask(
        self,
        verb: str,
        question: Callable[[Store], Awaitable[T]],
        spare_question: Callable[[Store], Awaitable[T]] | None = None,
    ) -> T:
        if self._clock.monotonic_s() >= self._away_until_s:
            try:
                return await question(self._shared)
            except StoreUnavailable:
                self._away_until_s = self._clock.monotonic_s() + HOLIDAY_S
        self.fallbacks += 1
        tell(self._hooks, StoreFellBack(verb=verb, count=self.fallbacks))
        return await (spare_question or question)(self._spare)
