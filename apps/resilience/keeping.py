"""The outermost layers for HTTP: answers kept by the stale cache, one call in flight per question, revalidation.

A question whose answer is kept asks the other side only whether it changed (`If-None-Match`, `If-Modified-Since`, RFC
9110 section 13): a 304 costs no body and makes the kept answer young again. How long answers are good is the policy's
rule alone; what the other side writes into Cache-Control about browsers is not asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from apps.resilience.cache_ports import Cached, Loaded, NotModified
from apps.resilience.clock import Clock
from apps.resilience.errors import KitError
from apps.resilience.exchange import NOT_MODIFIED, Journey, Request, Response
from apps.resilience.hooks import AnswerRevalidated, Hook, tell
from apps.resilience.policy import Policy
from apps.resilience.stale_cache import StaleCache

Send = Callable[[Request, Policy], Awaitable[Response]]
STATUS = ":status"  # no header's name has a colon
NOT_KEPT = frozenset(
    {"set-cookie", "date", "age", "connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"}
)
CONDITIONS = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))


def cache_key(request: Request, policy: Policy) -> str:
    """Return the key of a question: the policy's key, the operation, and a digest of all that tells it from others.

    Keys and tokens go into the digest alone, so that they cannot be read in the store.
    """
    digest = hashlib.blake2b(repr(request.identity).encode(), digest_size=16).hexdigest()
    return f"{policy.key}:{request.operation}:{digest}"


@dataclass(slots=True)
class _Trip:
    """What one load went through; a caller whom another's load answered made no trip."""

    journey: Journey = field(default_factory=Journey)


class Keeper:
    """Answers questions from the cache, and lets `send` do the rest."""

    def __init__(self, *, cache: StaleCache, send: Send, clock: Clock, hooks: Sequence[Hook] = ()) -> None:
        self._cache = cache
        self._send = send
        self._clock = clock
        self._hooks = hooks

    async def ask(self, request: Request, policy: Policy, *, force: bool = False) -> Response:
        """Return the answer that is kept, or fetch it; `force` fetches it anyway. Raises KitError."""
        started_s, trip = self._clock.monotonic_s(), _Trip()

        async def load(kept: Cached | None) -> Loaded | NotModified:
            return await self._load(request, policy, kept, trip)

        cached = await self._cache.fetch(cache_key(request, policy), load, rule=policy.cache, force=force)
        trip.journey.grade, trip.journey.stale_reason = cached.grade.value, cached.reason
        return Response(
            status=int(cached.meta.get(STATUS, "200")),
            headers={name: value for name, value in cached.meta.items() if name != STATUS},
            body=cached.value,
            received_at_s=cached.stored_at_s,
            duration_s=self._clock.monotonic_s() - started_s,
            journey=trip.journey,
        )

    async def _load(self, request: Request, policy: Policy, kept: Cached | None, trip: _Trip) -> Loaded | NotModified:
        asked = replace(request, headers={**request.headers, **conditions(kept.meta)}) if kept else request
        try:
            response = await self._send(asked, policy)
        except KitError as error:
            trip.journey = error.journey or trip.journey
            raise
        trip.journey = response.journey
        meta = {name: value for name, value in response.headers.items() if name not in NOT_KEPT}
        if response.status != NOT_MODIFIED:
            return Loaded(response.body, {**meta, STATUS: str(response.status)})
        trip.journey.revalidated = True
        tell(self._hooks, AnswerRevalidated(key=policy.key, operation=request.operation))
        return NotModified(meta)


def conditions(meta: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that ask whether a kept answer is still the present one; none when it carries no mark."""
    return {header: meta[name] for name, header in CONDITIONS if meta.get(name)}
