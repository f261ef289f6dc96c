"""What the kit asks of a store of shared state: few verbs, each atomic, each one round trip."""

from __future__ import annotations

from typing import Protocol

from apps.resilience.breaker import Admission, BreakerRule, BreakerState, Verdict
from apps.resilience.limiter import Feedback, Pace, PaceState, Reservation


class Store(Protocol):
    """The shared state of limiters and breakers. Every verb may raise `errors.StoreUnavailable`.

    The time that decides is the store's own, so that processes with different clocks agree.
    """

    async def reserve(self, key: str, pace: Pace, *, wait_s_max: float) -> Reservation:
        """Take the next free slot of `key` if it lies within `wait_s_max`."""
        ...

    async def adapt(self, key: str, pace: Pace, feedback: Feedback, *, retry_after_s: float | None = None) -> None:
        """Tell the limiter of `key` what the other side answered."""
        ...

    async def look_pace(self, key: str) -> PaceState:
        """Return the limiter's state without changing it."""
        ...

    async def admit(self, key: str, rule: BreakerRule) -> Admission:
        """Ask the breaker of `key` whether a call may go."""
        ...

    async def report(self, key: str, rule: BreakerRule, verdict: Verdict, *, generation: int) -> BreakerState:
        """Tell the breaker of `key` how the call went and return its state."""
        ...

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the breaker's state without changing it."""
        ...

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` and forget its limiter's adaptations and pauses."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
