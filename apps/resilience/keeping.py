"""The outermost layers for HTTP: answers kept by the stale cache, one call in flight per question, revalidation.

A question whose answer is kept asks the other side only whether it changed (`If-None-Match`, `If-Modified-Since`, RFC
9110 section 13): a 304 costs no body and makes the kept answer young again. How long answers are good is the policy's
rule alone; what the other side writes into Cache-Control about browsers is not asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from apps.resilience.cache_convoy import Crew
from apps.resilience.cache_ports import Cached, Loaded, NotModified
from apps.resilience.clock import Clock
from apps.resilience.errors import KitError, NotBelieved
from apps.resilience.exchange import NOT_MODIFIED, Journey, Request, Response
from apps.resilience.hooks import AnswerRevalidated, Hook, tell
from apps.resilience.policy import Policy
from apps.resilience.stale_cache import StaleCache

Send = Callable[[Request, Policy], Awaitable[Response]]
Told = Callable[[Response | KitError], None]
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


class _Trip:
    """One question on its way: what its load went through, and since when its caller waits.

    Whom another's load answered made no journey. `told`, when somebody is to be told of the answer, is told it.
    """

    __slots__ = ("_keeper", "_policy", "_request", "_send", "_told", "began_s", "journey", "key")

    def __init__(self, keeper: Keeper, request: Request, policy: Policy, send: Send, told: Told | None = None) -> None:
        self._keeper = keeper
        self._request = request
        self._policy = policy
        self._send = send
        self._told = told
        self.key = cache_key(request, policy)
        self.began_s = keeper.clock.monotonic_s()
        self.journey: Journey | None = None

    async def load(self, kept: Cached | None) -> Loaded | NotModified:
        """Ask the other side, for what changed if something is kept. Raises KitError."""
        request, policy = self._request, self._policy
        self.began_s = self._keeper.clock.monotonic_s()
        asked = replace(request, headers={**request.headers, **conditions(kept.meta)}) if kept else request
        try:
            response = await self._send(asked, policy)
        except KitError as error:
            self.journey = error.journey
            raise
        self.journey = response.journey
        meta = {name: value for name, value in response.headers.items() if name not in NOT_KEPT}
        if response.status != NOT_MODIFIED:
            if policy.believes is not None and not policy.believes(response.body):
                raise _journeyed(NotBelieved(f"{policy.key} answered with something else"), response.journey)
            meta[STATUS] = str(response.status)
            return Loaded(response.body, meta)
        response.journey.revalidated = True
        tell(self._keeper.hooks, AnswerRevalidated(key=policy.key, operation=request.operation))
        return NotModified(meta)

    def settle(self, outcome: Cached | Exception) -> None:
        """Tell the outcome. An error that is not the kit's own is raised: it is a bug."""
        if self._told is None or not isinstance(outcome, (Cached, KitError)):
            raise outcome if isinstance(outcome, Exception) else LookupError("nobody is to be told")
        self._told(self.response(outcome) if isinstance(outcome, Cached) else outcome)

    def response(self, cached: Cached) -> Response:
        """Return the value as an answer."""
        journey = self.journey or Journey()
        journey.grade, journey.stale_reason = cached.grade.value, cached.reason
        return Response(
            status=int(cached.meta.get(STATUS, "200")),
            headers={name: value for name, value in cached.meta.items() if name != STATUS},
            body=cached.value,
            received_at_s=cached.stored_at_s,
            duration_s=self._keeper.clock.monotonic_s() - self.began_s,
            journey=journey,
        )


class Keeper:
    """Answers questions from the cache, and lets `send` do the rest."""

    def __init__(self, *, cache: StaleCache, send: Send, clock: Clock, hooks: Sequence[Hook] = ()) -> None:
        self._cache = cache
        self._send = send
        self.clock = clock
        self.hooks = hooks

    async def ask(self, request: Request, policy: Policy, *, force: bool = False) -> Response:
        """Return the answer that is kept, or fetch it; `force` fetches it anyway. Raises KitError."""
        trip = _Trip(self, request, policy, self._send)
        began_s = trip.began_s
        cached = await self._cache.fetch(trip.key, trip.load, rule=policy.cache, force=force)
        trip.began_s = began_s
        return trip.response(cached)

    async def ask_many(
        self, requests: Sequence[Request], policy: Policy, *, send: Send, crew: Crew, force: bool = False
    ) -> list[Response | KitError]:
        """Return the answer to each, or its failure, in order; `send` makes the calls of those whose answers are not kept."""
        outcomes: dict[int, Response | KitError] = {}
        trips = [_Trip(self, request, policy, send, partial(outcomes.__setitem__, at)) for at, request in enumerate(requests)]
        await self._cache.fetch_many(trips, crew=crew, rule=policy.cache, force=force)
        return [outcomes[at] for at in range(len(requests))]


def _journeyed(error: KitError, journey: Journey) -> KitError:
    error.journey = journey
    return error


def conditions(meta: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that ask whether a kept answer is still the present one; none when it carries no mark."""
    return {header: meta[name] for name, header in CONDITIONS if meta.get(name)}
