"""The one way out: HTTP with deadlines, a body cap and an address filter, under the layers.

Only this file knows aiohttp.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Sequence
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from apps.resilience import retry_after
from apps.resilience.addresses import HostPort, check_resolved, check_url
from apps.resilience.breaker import BreakerState
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import (
    AddressRefused,
    BadBody,
    BodyTooLarge,
    ConnectionFailed,
    HttpStatus,
    KitError,
    RedirectRefused,
    TimedOut,
)
from apps.resilience.exchange import Answer, Request, Response
from apps.resilience.hooks import Hook
from apps.resilience.layers import Layers
from apps.resilience.limiter import PaceState
from apps.resilience.policy import Policy
from apps.resilience.ports import Store

CONNECTIONS = 100
CHUNK_BYTES = 65_536
ERROR_BODY_BYTES = 2_000
USER_AGENT = "Mozilla/5.0 (compatible; Bellwether/0.1)"
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
    ) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._before_request = before_request
        self._allowed = frozenset(allowed_hosts)
        self._layers = Layers(transport=self._attempt, store=store, clock=self._clock, hooks=hooks)
        self._session: aiohttp.ClientSession | None = None

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
        if self._session is not None:
            await self._session.close()
        await self._store.close()

    async def _attempt(self, request: Request, policy: Policy, left_s: float) -> Answer:
        """Make one attempt over the wire; every way to fail becomes one of the kit's errors."""
        if left_s <= 0:
            raise TimedOut("no time left before the call was sent")
        try:
            async with asyncio.timeout(left_s):
                return await self._follow(request, policy)
        except TimeoutError as error:
            raise TimedOut(f"no complete answer in time from {policy.key}") from error
        except aiohttp.InvalidURL as error:
            raise AddressRefused("not an address") from error
        except aiohttp.ClientPayloadError as error:
            raise _unreadable(error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionFailed(f"{type(error).__name__} talking to {policy.key}") from error

    async def _follow(self, request: Request, policy: Policy) -> Answer:
        """Send, and follow as many redirects as the policy allows."""
        url, params = request.url, request.params
        for _ in range(policy.redirects_max + 1):
            check_url(url, self._allowed)
            answer = await self._exchange(request, policy, url, params)
            if isinstance(answer, Answer):
                return answer
            url, params = urljoin(url, answer), ()
        raise RedirectRefused(f"{policy.key} answered with a redirect")

    async def _exchange(self, request: Request, policy: Policy, url: str, params: tuple[tuple[str, str], ...]) -> Answer | str:
        """Send once and return the answer, or the place that a redirect points to."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=policy.connect_s, sock_read=policy.read_s)
        async with self._opened().request(
            request.method,
            url,
            params=params or None,
            data=request.json,
            headers=_headers(request),
            allow_redirects=False,
            timeout=timeout,
        ) as raw:
            if 300 <= raw.status < 400:
                return raw.headers.get("Location", "")
            if raw.status >= 400:
                wish_s = retry_after.seconds_of(raw.headers.get("Retry-After"), now_s=self._clock.now_s())
                body = await raw.content.read(ERROR_BODY_BYTES)
                raise HttpStatus(raw.status, retry_after_s=wish_s, body=body)
            body = await _read(raw, policy)
            headers = {name.lower(): value for name, value in raw.headers.items()}
            return Answer(status=raw.status, headers=headers, body=body, received_at_s=self._clock.now_s())

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, resolver=PublicResolver(self._allowed))
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"},
            )
        return self._session


class PublicResolver(AbstractResolver):
    """Resolves names and refuses those that lead to addresses that may not be called.

    The check sits here because these are the very addresses that will be connected to: a name that changes its
    mind between a check and the connection (DNS rebinding) gains nothing.
    """

    def __init__(self, allowed: Collection[HostPort]) -> None:
        self._allowed = allowed
        self._system = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Return the addresses of `host`. Raises AddressRefused."""
        results = await self._system.resolve(host, port, family)
        check_resolved((host.lower(), port), [result["host"] for result in results], self._allowed)
        return results

    async def close(self) -> None:
        """Let go of the system's resolver."""
        await self._system.close()


def _headers(request: Request) -> dict[str, str]:
    headers = dict(request.headers)
    if request.correlation_id:
        headers["X-Correlation-ID"] = request.correlation_id
    if request.json is not None:
        headers["Content-Type"] = "application/json"
    return headers


async def _read(raw: aiohttp.ClientResponse, policy: Policy) -> bytes:
    """Read the decompressed body piece by piece, so that a small answer cannot grow beyond the cap."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in raw.content.iter_chunked(CHUNK_BYTES):
        size += len(chunk)
        if size > policy.body_bytes_max:
            raise BodyTooLarge(f"more than {policy.body_bytes_max} bytes from {policy.key}")
        chunks.append(chunk)
    return b"".join(chunks)


def _unreadable(error: aiohttp.ClientPayloadError) -> KitError:
    """Tell a body that cannot be decoded from one that was cut on the way, which may come whole next time."""
    is_encoding = "encoding" in str(error).lower() or "encoding" in str(error.__cause__).lower()
    return BadBody("the body cannot be decompressed") if is_encoding else ConnectionFailed("the answer was cut")
