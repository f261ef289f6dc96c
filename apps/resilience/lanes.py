"""What calls of one kind share: breakers, limiter, bulkhead and retry budget, made once and found by policy."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from apps.resilience.addresses import host_of
from apps.resilience.breaker import BreakerRule, key_of
from apps.resilience.breakers import Breaker
from apps.resilience.bulkhead import Bulkhead, BulkheadRule
from apps.resilience.clock import Clock
from apps.resilience.exchange import Request
from apps.resilience.hooks import Hook
from apps.resilience.limiter import Pace
from apps.resilience.limiters import Limiter
from apps.resilience.policy import Grain, Policy
from apps.resilience.ports import Store
from apps.resilience.retry import RetryBudget, RetryRule

POLICIES_KEPT = 1_000


@dataclass(slots=True)
class Lane:
    """The shared parts of one policy. `breaker` is that of the whole key; None when there is one for each host or operation."""

    policy: Policy
    budget: RetryBudget
    limiter: Limiter | None
    bulkhead: Bulkhead
    breaker: Breaker | None


@dataclass(slots=True)
class Lanes:
    """The lanes of one client. Policies of the same key share their parts wherever their rules for them are the same."""

    store: Store
    clock: Clock
    hooks: Sequence[Hook]
    _lanes: dict[Policy, Lane] = field(default_factory=dict)
    _breakers: dict[tuple[str, BreakerRule], Breaker] = field(default_factory=dict)
    _limiters: dict[tuple[str, Pace], Limiter] = field(default_factory=dict)
    _bulkheads: dict[tuple[str, BulkheadRule], Bulkhead] = field(default_factory=dict)
    _budgets: dict[tuple[Hashable, RetryRule], RetryBudget] = field(default_factory=dict)

    def of(self, policy: Policy) -> Lane:
        """Return the lane of a policy."""
        lane = self._lanes.get(policy)
        if lane is None:
            if len(self._lanes) >= POLICIES_KEPT:
                self._lanes.clear()  # the parts stay: only their meeting points are made again
            lane = self._lanes[policy] = self._make(policy)
        return lane

    def breaker_of(self, lane: Lane, request: Request) -> Breaker:
        """Return the breaker that watches over this call. Raises AddressRefused for an address without a host."""
        if lane.breaker is not None:
            return lane.breaker
        policy = lane.policy
        if policy.grain is Grain.OPERATION:
            return self._breaker(key_of(policy.key, request.operation), policy.breaker)
        return self._breaker(key_of(policy.key, host_of(request.url)[0]), policy.breaker)

    async def reset(self, key: str) -> None:
        """Close the breakers of `key`, of its hosts and operations too, and forget its pace; seen here at once."""
        await self.store.reset(key)
        for breaker in list(self._breakers.values()):
            if breaker.key == key or breaker.key.startswith(f"{key_of(key)}/"):
                await breaker.reset()

    def _make(self, policy: Policy) -> Lane:
        key = policy.key
        return Lane(
            policy=policy,
            budget=self._budgets.setdefault((key, policy.retry), RetryBudget(policy.retry)),
            limiter=None if policy.pace is None else self._limiter(key, policy.pace),
            bulkhead=self._bulkheads.setdefault((key, policy.bulkhead), Bulkhead(key, policy.bulkhead)),
            breaker=self._breaker(key, policy.breaker) if policy.grain is Grain.KEY else None,
        )

    def _breaker(self, key: str, rule: BreakerRule) -> Breaker:
        found = self._breakers.get((key, rule))
        if found is None:
            found = Breaker(key, store=self.store, rule=rule, clock=self.clock, hooks=self.hooks)
            self._breakers[key, rule] = found
        return found

    def _limiter(self, key: str, pace: Pace) -> Limiter:
        return self._limiters.setdefault((key, pace), Limiter(key, pace, store=self.store, clock=self.clock))
