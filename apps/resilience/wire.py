"""One attempt over the wire: redirects judged hop by hop, bodies read under a cap, every failure in the kit's words."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from apps.resilience import bodies, retry_after
from apps.resilience.addresses import HostPort, check_url
from apps.resilience.clock import Clock
from apps.resilience.errors import (
    AddressRefused,
    BadBody,
    BodyTooLarge,
    ConnectionFailed,
    HttpStatus,
    KitError,
    RedirectRefused,
    RequestRefused,
    TimedOut,
)
from apps.resilience.exchange import NOT_MODIFIED, Answer, Request
from apps.resilience.hooks import Hook, RedirectFollowed, tell
from apps.resilience.patience import SWEEP_S, Watch
from apps.resilience.policy import Policy
from apps.resilience.redirects import Hop, first_hop, next_hop
from apps.resilience.session import Pool, Sessions

ERROR_BODY_BYTES = 2_000
ERROR_BODY_READ_BYTES = 65_536  # read away so that the connection can go on; beyond that it is dropped
ORIGINS_KEPT = 1_000
ERROR_BODY_S = 2.0  # nobody waits longer than this for the words of a refusal
Pointer = tuple[int, str]  # the status and the Location of a redirect


class Wire:
    """Makes attempts with the sessions of `Sessions`; `allowed` are local (host, port) pairs that may be called."""

    def __init__(
        self, *, clock: Clock, hooks: Sequence[Hook], allowed: Collection[HostPort], connections: int, per_host: int
    ) -> None:
        self._clock = clock
        self._hooks = hooks
        self._allowed = frozenset(allowed)
        self._sessions = Sessions(allowed=self._allowed, connections=connections, per_host=per_host)
        self._judged: set[str] = set()
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        """Send the request and read its answer within `left_s` seconds. Raises KitError and nothing else."""
        if left_s <= 0:
            raise TimedOut("no time left before the call was sent")
        pool = self._sessions.here()
        watch = pool.patience.begin(left_s, policy.connect_s + policy.read_s)
        attempt = _Attempt(request, policy, pool, watch)
        try:
            answer = await self._exchange(attempt, first_hop(request))
            return answer if isinstance(answer, Answer) else await self._follow(attempt, answer)
        except asyncio.CancelledError as error:
            if watch.is_ours():
                raise TimedOut(f"no complete answer in time from {policy.key}") from error
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _in_our_words(error, policy.key) from error
        finally:
            pool.patience.end(watch)

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        await self._sessions.close()

    async def _follow(self, attempt: _Attempt, pointer: Pointer) -> Answer:
        """Follow a redirect, and as many more as the policy allows."""
        request, policy = attempt.request, attempt.policy
        hop = first_hop(request)
        for redirects in range(1, policy.redirects_max + 1):
            status, location = pointer
            hop = next_hop(request, hop, status=status, location=location)
            host = check_url(hop.url, self._allowed)[0]
            tell(self._hooks, RedirectFollowed(key=policy.key, operation=request.operation, status=status, host=host))
            attempt.heard(policy.connect_s + policy.read_s)
            answer = await self._exchange(attempt, hop)
            if isinstance(answer, Answer):
                answer.redirects = redirects
                return answer
            pointer = answer
        raise RedirectRefused(f"{policy.key} answered with a redirect")

    async def _exchange(self, attempt: _Attempt, hop: Hop) -> Answer | Pointer:
        """Send once and return the answer, or the status and place of a redirect."""
        request, policy = attempt.request, attempt.policy
        raw = await attempt.pool.session.request(
            request.method,
            self._address(hop.url),
            params=hop.params or None,
            data=request.json,
            headers=hop.headers or None,
            allow_redirects=False,
            timeout=self._timeout(policy.connect_s),
        )
        try:
            if raw.status >= 400:
                raise await self._failure(attempt, raw)
            if 300 <= raw.status < 400 and not (raw.status == NOT_MODIFIED and request.is_conditional):
                return raw.status, raw.headers.get("Location", "")
            body = await attempt.read(raw, policy.body_bytes_max)
            if body is None:
                raise BodyTooLarge(f"more than {policy.body_bytes_max} bytes from {policy.key}")
            encoding = raw.headers.get("Content-Encoding")
            if encoding:
                body = await bodies.unpacked(body, encoding, bytes_max=policy.body_bytes_max)
            return Answer(status=raw.status, headers=_lowered(raw.headers), body=body, received_at_s=self._clock.now_s())
        finally:
            raw.release()  # an answer read to its end has given its connection back already; any other loses it here

    def _timeout(self, connect_s: float) -> aiohttp.ClientTimeout:
        """Return the library's part of the time-outs: connecting."""
        found = self._timeouts.get(connect_s)
        if found is None:
            found = self._timeouts[connect_s] = aiohttp.ClientTimeout(sock_connect=connect_s)
        return found

    def _address(self, text: str) -> URL:
        """Return the address as the library reads it, judged once for each origin. Raises AddressRefused."""
        try:
            url = URL(text)
        except ValueError as error:
            raise AddressRefused("not an address") from error
        end = text.find("/", len("https://"))
        origin = text if end < 0 else text[:end]
        if origin not in self._judged:
            if (url.raw_host, url.port) != check_url(text, self._allowed):
                raise AddressRefused("an address that can be read in two ways")
            if len(self._judged) >= ORIGINS_KEPT:
                self._judged.clear()
            self._judged.add(origin)
        return url

    async def _failure(self, attempt: _Attempt, raw: aiohttp.ClientResponse) -> HttpStatus:
        """Return the error for a status of failure, with the start of its body as far as it can be had."""
        wish_s = retry_after.seconds_of(", ".join(raw.headers.getall("Retry-After", ())) or None, now_s=self._clock.now_s())
        patience_s = min(attempt.policy.read_s, ERROR_BODY_S, attempt.pool.patience.left_s(attempt.watch)) - 2 * SWEEP_S
        try:
            async with asyncio.timeout(max(0.0, patience_s)):
                packed = await attempt.read(raw, ERROR_BODY_READ_BYTES)
            body = bodies.beginning(packed or b"", raw.headers.get("Content-Encoding", ""), size=ERROR_BODY_BYTES)
        except (aiohttp.ClientError, TimeoutError, BadBody):
            body = b""  # the status says what matters; a body that does not come changes nothing about it
        return HttpStatus(raw.status, retry_after_s=wish_s, body=body)


@dataclass(slots=True)
class _Attempt:
    """One attempt, and the watch over its time."""

    request: Request
    policy: Policy
    pool: Pool
    watch: Watch

    def heard(self, silence_s: float) -> None:
        """Note news, and how long the next silence may last."""
        self.pool.patience.heard(self.watch, silence_s)

    async def read(self, raw: aiohttp.ClientResponse, bytes_max: int) -> bytes | None:
        """Read the body as it came over the wire; None as soon as it grows beyond `bytes_max`."""
        content = raw.content
        self.heard(self.policy.read_s)
        first = await content.readany()
        if content.at_eof() and len(first) <= bytes_max:
            return first
        chunks, size = [first], len(first)
        while size <= bytes_max:
            self.heard(self.policy.read_s)
            chunk = await content.readany()
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
        return None


def _in_our_words(error: Exception, key: str) -> KitError:
    if isinstance(error, TimeoutError):
        return TimedOut(f"no complete answer in time from {key}")
    if isinstance(error, aiohttp.InvalidURL):
        return AddressRefused("not an address")
    if isinstance(error, ValueError):
        return RequestRefused("the request cannot be written down as HTTP")
    return ConnectionFailed(f"{type(error).__name__} talking to {key}")


def _lowered(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
