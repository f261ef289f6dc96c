"""One attempt over the wire: redirects judged hop by hop, bodies read under a cap, every failure in the kit's words."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

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
    RedirectRefused,
    RequestRefused,
    TimedOut,
)
from apps.resilience.exchange import NOT_MODIFIED, Answer, Request
from apps.resilience.hooks import Hook, RedirectFollowed, tell
from apps.resilience.policy import Policy
from apps.resilience.redirects import Hop, first_hop, next_hop
from apps.resilience.session import EXACT, Sessions

ERROR_BODY_BYTES = 2_000
ERROR_BODY_READ_BYTES = 65_536  # read away so that the connection can go on; beyond that it is dropped
ORIGINS_KEPT = 1_000
TIMEOUTS_KEPT = 1_000
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
        self._timeouts: dict[tuple[float, float, float], aiohttp.ClientTimeout] = {}

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        """Send the request and read its answer within `left_s` seconds. Raises KitError and nothing else."""
        if left_s <= 0:
            raise TimedOut("no time left before the call was sent")
        began_s = self._clock.monotonic_s()
        try:
            answer = await self._exchange(request, policy, first_hop(request), left_s)
            if isinstance(answer, Answer):
                return answer
            return await self._follow(request, policy, answer, ends_s=began_s + left_s)
        except TimeoutError as error:
            raise TimedOut(f"no complete answer in time from {policy.key}") from error
        except aiohttp.InvalidURL as error:
            raise AddressRefused("not an address") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionFailed(f"{type(error).__name__} talking to {policy.key}") from error
        except ValueError as error:
            raise RequestRefused("the request cannot be written down as HTTP") from error

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        await self._sessions.close()

    async def _follow(self, request: Request, policy: Policy, pointer: Pointer, *, ends_s: float) -> Answer:
        """Follow a redirect, and as many more as the policy allows."""
        hop = first_hop(request)
        for redirects in range(1, policy.redirects_max + 1):
            status, location = pointer
            hop = next_hop(request, hop, status=status, location=location)
            host = check_url(hop.url, self._allowed)[0]
            tell(self._hooks, RedirectFollowed(key=policy.key, operation=request.operation, status=status, host=host))
            left_s = max(0.001, ends_s - self._clock.monotonic_s())
            answer = await self._exchange(request, policy, hop, left_s)
            if isinstance(answer, Answer):
                answer.redirects = redirects
                return answer
            pointer = answer
        raise RedirectRefused(f"{policy.key} answered with a redirect")

    async def _exchange(self, request: Request, policy: Policy, hop: Hop, left_s: float) -> Answer | Pointer:
        """Send once and return the answer, or the status and place of a redirect."""
        raw = await self._sessions.here().request(
            request.method,
            self._address(hop.url),
            params=hop.params or None,
            data=request.json,
            headers=hop.headers or None,
            allow_redirects=False,
            timeout=self._timeout(policy, left_s),
        )
        try:
            if raw.status >= 400:
                raise await self._failure(raw)
            if 300 <= raw.status < 400 and not (raw.status == NOT_MODIFIED and request.is_conditional):
                return raw.status, raw.headers.get("Location", "")
            body = await _read(raw, policy.body_bytes_max)
            if body is None:
                raise BodyTooLarge(f"more than {policy.body_bytes_max} bytes from {policy.key}")
            encoding = raw.headers.get("Content-Encoding")
            if encoding:
                body = await bodies.unpacked(body, encoding, bytes_max=policy.body_bytes_max)
            return Answer(status=raw.status, headers=_lowered(raw.headers), body=body, received_at_s=self._clock.now_s())
        finally:
            raw.release()  # an answer read to its end has given its connection back already; any other loses it here

    def _timeout(self, policy: Policy, left_s: float) -> aiohttp.ClientTimeout:
        """Return the time-outs of an attempt. Those of a batch are alike to a hundredth of a second and share one."""
        key = (math.ceil(left_s * 100) / 100 if left_s > 1 else left_s, policy.connect_s, policy.read_s)
        found = self._timeouts.get(key)
        if found is None:
            if len(self._timeouts) >= TIMEOUTS_KEPT:
                self._timeouts.clear()
            total_s, connect_s, read_s = key
            found = aiohttp.ClientTimeout(total=total_s, sock_connect=connect_s, sock_read=read_s, ceil_threshold=EXACT)
            self._timeouts[key] = found
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

    async def _failure(self, raw: aiohttp.ClientResponse) -> HttpStatus:
        """Return the error for a status of failure, with the start of its body as far as it can be had."""
        wish_s = retry_after.seconds_of(", ".join(raw.headers.getall("Retry-After", ())) or None, now_s=self._clock.now_s())
        try:
            packed = await _read(raw, ERROR_BODY_READ_BYTES)
            body = bodies.beginning(packed or b"", raw.headers.get("Content-Encoding", ""), size=ERROR_BODY_BYTES)
        except (aiohttp.ClientError, TimeoutError, BadBody):
            body = b""  # the status says what matters; a body that does not come changes nothing about it
        return HttpStatus(raw.status, retry_after_s=wish_s, body=body)


async def _read(raw: aiohttp.ClientResponse, bytes_max: int) -> bytes | None:
    """Read the body as it came over the wire; None as soon as it grows beyond `bytes_max`."""
    content = raw.content
    first = await content.readany()
    if content.at_eof() and len(first) <= bytes_max:
        return first
    chunks, size = [first], len(first)
    while size <= bytes_max:
        chunk = await content.readany()
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
    return None


def _lowered(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
