"""The one way out: requests under policies, through the layers, over pooled connections."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from apps.resilience.addresses import HostPort
from apps.resilience.breaker import BreakerState
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.exchange import Request, Response, check_request
from apps.resilience.hooks import Hook
from apps.resilience.layers import Layers
from apps.resilience.limiter import PaceState
from apps.resilience.policy import Policy
from apps.resilience.ports import Store
from apps.resilience.session import CONNECTIONS, CONNECTIONS_PER_HOST
from apps.resilience.wire import Wire

BeforeRequest = Callable[[Request], None]


class Client:
    """Sends requests under policies. Lives in one event loop; connections are kept open and shared.

    `allowed_hosts` are (host, port) pairs that may be called although they are local. Every function of
    `before_request` may refuse a call by raising.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        before_request: Sequence[BeforeRequest] = (),
        allowed_hosts: Collection[HostPort] = (),
        connections: int = CONNECTIONS,
        per_host: int = CONNECTIONS_PER_HOST,
    ) -> None:
        self._store = store
        self._before_request = (check_request, *before_request)
        clock = clock or SystemClock()
        self._wire = Wire(clock=clock, hooks=hooks, allowed=allowed_hosts, connections=connections, per_host=per_host)
        self._layers = Layers(transport=self._wire, store=store, clock=clock, hooks=hooks)

    async def send(self, request: Request, policy: Policy) -> Response:
        """Send the request and return its answer. Raises KitError, or what a `before_request` raised."""
        for check in self._before_request:
            check(request)
        return await self._layers.send(request, policy)

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the state of the breaker of `key`."""
        return await self._store.look_breaker(key)

    async def look_pace(self, key: str) -> PaceState:
        """Return the state of the limiter of `key`."""
        return await self._store.look_pace(key)

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` by hand and let its pace start afresh."""
        await self._store.reset(key)

    async def close(self) -> None:
        """Close connections; the client cannot be used afterwards."""
        await self._wire.close()
        await self._store.close()
