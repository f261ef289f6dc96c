"""The one way out: requests under policies, through the layers, over pooled connections."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from apps.resilience.addresses import HostPort
from apps.resilience.batch import Batch, Outcome
from apps.resilience.breaker import BreakerState
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import KitError
from apps.resilience.exchange import Request, Response, check_request
from apps.resilience.hooks import Hook
from apps.resilience.keeping import Keeper
from apps.resilience.layers import Layers, Transport
from apps.resilience.limiter import PaceState
from apps.resilience.policy import Policy
from apps.resilience.ports import Store
from apps.resilience.session import CONNECTIONS, CONNECTIONS_PER_HOST
from apps.resilience.stale_cache import StaleCache
from apps.resilience.windows import MICROSECONDS
from apps.resilience.wire import Wire

BeforeRequest = Callable[[Request], None]


class Client:
    """Sends requests under policies. Connections are kept open and shared; use it in one event loop at a time.

    `allowed_hosts` are (host, port) pairs that may be called although they are local. Every function of
    `before_request` may refuse a call by raising. `cache` serves the policies that have a cache rule; it is the caller's
    to close. `transport` takes the place of the wire, for tests: see `testing.ScriptedUpstream`.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        before_request: Sequence[BeforeRequest] = (),
        allowed_hosts: Collection[HostPort] = (),
        cache: StaleCache | None = None,
        transport: Transport | None = None,
        connections: int = CONNECTIONS,
        per_host: int = CONNECTIONS_PER_HOST,
    ) -> None:
        self._store = store
        self._before_request = tuple(before_request)
        self._clock = clock = clock or SystemClock()
        self._transport = transport or Wire(
            clock=clock, hooks=hooks, allowed=allowed_hosts, connections=connections, per_host=per_host
        )
        self._layers = Layers(transport=self._transport, store=store, clock=clock, hooks=hooks)
        self._keeper = None if cache is None else Keeper(cache=cache, send=self._layers.send, clock=clock, hooks=hooks)

    async def send(self, request: Request, policy: Policy, *, force: bool = False) -> Response:
        """Send the request and return its answer; `force` goes past a kept one.

        Raises KitError, or what a `before_request` raised.
        """
        self._check(request)
        return await self._ask(request, policy, force=force)

    async def fetch_batch(
        self,
        requests: Sequence[Request | str],
        policy: Policy,
        *,
        concurrency: int | None = None,
        deadline_s: float | None = None,
        force: bool = False,
    ) -> list[Outcome]:
        """Make many calls (a text is a GET of that address) and return a Response or a KitError for each, in order.

        Never raises for one that fails. Equal questions share one call. `concurrency` is the bulkhead's unless it is
        smaller; `deadline_s`, the policy's unless given, covers all of them together, the waits for slots included (under a
        cache rule, where a load may serve others too, no call begins after it, and each has the policy's own).
        Raises what a `before_request` raised, before anything is sent.
        """
        asked = [Request(operation="fetch", url=request) if isinstance(request, str) else request for request in requests]
        refused = {place: error for place, request in enumerate(asked) if (error := self._refusal(request)) is not None}
        sound = [request for place, request in enumerate(asked) if place not in refused]
        at_once = min(concurrency or policy.bulkhead.concurrent, policy.bulkhead.concurrent)
        ends_s = self._clock.monotonic_s() + (policy.deadline_s if deadline_s is None else deadline_s)

        batch = Batch(self._layers, self._clock, self._layers.lanes.of(policy), ends_s=ends_s, keeper=self._keeper_of(policy))
        outcomes = iter(await batch.run(sound, concurrency=at_once, force=force))
        return [refused[place] if place in refused else next(outcomes) for place in range(len(asked))]

    async def slow_down(self, policy: Policy, *, retry_after_s: float | None = None) -> None:
        """Tell the limiter that the other side asked for fewer calls where the kit cannot see it: in a good answer's body."""
        limiter = self._layers.lanes.of(policy).limiter
        if limiter is not None:
            await limiter.on_rate_limit(retry_after_s)

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the state of the breaker of `key`."""
        return await self._store.look_breaker(key)

    async def look_pace(self, key: str) -> PaceState:
        """Return the state of the limiter of `key`."""
        return await self._store.look_pace(key)

    async def set_interval(self, key: str, interval_s: float | None) -> None:
        """Let nobody who shares the store call `key` more often than each `interval_s`, whatever allows it; None lifts that."""
        await self._store.set_override(key, 0 if interval_s is None else math.ceil(interval_s * MICROSECONDS))

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` by hand and let its pace start afresh: here at once, elsewhere within a second."""
        await self._layers.lanes.reset(key)

    async def close(self) -> None:
        """Close connections; the client cannot be used afterwards."""
        await self._transport.close()
        await self._store.close()

    async def _ask(self, request: Request, policy: Policy, *, force: bool) -> Response:
        keeper = self._keeper_of(policy) if request.is_question else None
        if keeper is None:
            return await self._layers.send(request, policy)
        return await keeper.ask(request, policy, force=force)

    def _keeper_of(self, policy: Policy) -> Keeper | None:
        """Return who keeps answers under this policy, None when it has no cache rule."""
        if policy.cache is None:
            return None
        if self._keeper is None:
            raise ValueError(f"the policy of {policy.key} has a cache rule, but this client has no cache")
        return self._keeper

    def _check(self, request: Request) -> None:
        check_request(request)
        for check in self._before_request:
            check(request)

    def _refusal(self, request: Request) -> KitError | None:
        try:
            self._check(request)
        except KitError as error:
            return error
        return None
