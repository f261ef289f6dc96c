"""What the kit asks of a store of shared state: few verbs, each atomic, each one round trip."""

from __future__ import annotations

from typing import Protocol

from apps.resilience.breaker import Admission, BreakerRule, BreakerState, Verdict
from apps.resilience.limiter import Feedback, Pace, PaceState, Reservation
from apps.resilience.paced_slot import PaidSlot
from apps.resilience.windows import Tally


class Store(Protocol):
    """The shared state of limiters and breakers. Every verb may raise `errors.StoreUnavailable`.

    The time that decides is the store's own, so that processes with different clocks agree. Most callers use the
    facades `limiters.Limiter` and `breakers.Breaker`, which spare round trips.
    """

    @property
    def processes(self) -> int:
        """How many processes share this state, as far as known."""
        ...

    async def reserve(self, key: str, pace: Pace, *, wait_s_max: float, count: int = 1) -> Reservation:
        """Take as many of the next `count` slots of `key` as lie within `wait_s_max`."""
        ...

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
        """Tell the limiter of `key` what the other side answered; see `limiter.adapt` for the figures."""
        ...

    async def look_pace(self, key: str) -> PaceState:
        """Return the limiter's state without changing it."""
        ...

    async def redeem(self, key: str, slot: PaidSlot) -> bool:
        """Say whether a slot of `key` that was taken beforehand is still worth a call."""
        ...

    async def set_override(self, key: str, interval_us: int) -> None:
        """Set the interval that no caller of `key` may fall below; 0 lifts it."""
        ...

    async def admit(self, key: str, rule: BreakerRule) -> Admission:
        """Ask the breaker of `key` whether a call may go; a probe's admission carries the token of its lease."""
        ...

    async def renew(self, key: str, rule: BreakerRule, *, token: str) -> None:
        """Prolong the lease of a probe that is still on its way."""
        ...

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
        """Tell the breaker of `key` how the call went, and what was counted since the last report; return its state.

        Without a tally, a success or a failure counts as one call.
        """
        ...

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the breaker's state without changing it."""
        ...

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` and forget its limiter's adaptations, pauses and lessons."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
