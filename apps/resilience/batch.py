"""Many calls to one other side: a value for each, in order, with as few round trips to the shared store as one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from apps.resilience.breaker import BreakerPhase
from apps.resilience.cache_convoy import Crew
from apps.resilience.clock import Clock
from apps.resilience.errors import KitError
from apps.resilience.exchange import Request, Response
from apps.resilience.keeping import Keeper
from apps.resilience.lanes import Lane
from apps.resilience.layers import Layers
from apps.resilience.policy import Policy
from apps.resilience.slots import Slot, Slots

Outcome = Response | KitError


@dataclass(slots=True)
class Errand:
    """One call of a batch and the places in the caller's list that its outcome goes to."""

    request: Request
    places: list[int]

    def deliver(self, outcome: Outcome, outcomes: list[Outcome | None]) -> None:
        """Put the outcome in all its places."""
        for place in self.places:
            outcomes[place] = outcome


def errands_of(requests: Sequence[Request]) -> list[Errand]:
    """Return the calls to make: questions that are the same share one."""
    errands: list[Errand] = []
    known: dict[tuple[object, ...], Errand] = {}
    for place, request in enumerate(requests):
        if not request.is_question:
            errands.append(Errand(request, [place]))
            continue
        identity = request.identity
        errand = known.get(identity)
        if errand is None:
            known[identity] = errand = Errand(request, [])
            errands.append(errand)
        errand.places.append(place)
    return errands


class Batch:
    """Runs errands on one lane, so many at once; `ends_s` is the deadline of all of them together.

    With a `keeper`, questions are asked of it: it sends what it must. Then no call begins after `ends_s`, and each has
    the policy's own deadline, because it may serve others too.
    """

    def __init__(self, layers: Layers, clock: Clock, lane: Lane, *, ends_s: float, keeper: Keeper | None = None) -> None:
        self._layers = layers
        self._clock = clock
        self._lane = lane
        self._ends_s = ends_s
        self._keeper = keeper
        self._slots = None if lane.limiter is None else Slots(lane.limiter, clock, count=0, ends_s=ends_s)
        self._foreseen = 0

    async def run(self, requests: Sequence[Request], *, concurrency: int, force: bool = False) -> list[Outcome]:
        """Return the outcomes in the order of the requests; `force` goes past answers that are kept.

        Raises nothing for a call that fails. What is not the kit's own error is a bug: it breaks the batch off.
        """
        outcomes: list[Outcome | None] = [None] * len(requests)
        errands = errands_of(requests)
        if self._keeper is not None:
            questions = [errand for errand in errands if errand.request.is_question]
            errands = [errand for errand in errands if not errand.request.is_question]
            for errand, outcome in zip(questions, await self._asked(questions, concurrency, force=force), strict=True):
                errand.deliver(outcome, outcomes)
        self._foresee(len(errands))
        work = iter(errands)

        async def worker() -> None:
            for errand in work:
                errand.deliver(await self._outcome(errand.request), outcomes)

        await _all(worker, min(concurrency, len(errands)))
        return [outcome for outcome in outcomes if outcome is not None]

    async def _asked(self, questions: Sequence[Errand], concurrency: int, *, force: bool) -> list[Outcome]:
        if self._keeper is None or not questions:
            return []
        crew = Crew(at_once=concurrency, ends_s=self._ends_s, foresee=self._foresee)
        requests = [errand.request for errand in questions]
        return await self._keeper.ask_many(requests, self._lane.policy, send=self._send, crew=crew, force=force)

    async def _send(self, request: Request, policy: Policy) -> Response:
        """Make a call for the keeper; one that was not foreseen, behind a reader, takes its slot alone."""
        ends_s = self._clock.monotonic_s() + policy.deadline_s
        slot = await self._slot() if self._foreseen else None
        return await self._layers.travel(request, self._lane, ends_s=ends_s, slot=slot)

    async def _outcome(self, request: Request) -> Outcome:
        try:
            return await self._layers.travel(request, self._lane, ends_s=self._ends_s, slot=await self._slot())
        except KitError as error:
            return error

    def _foresee(self, count: int) -> None:
        self._foreseen += count
        if self._slots is not None:
            self._slots.expect(count)

    async def _slot(self) -> Slot | None:
        self._foreseen -= 1
        return None if self._slots is None or self._is_refusing() else await self._slots.take()

    def _is_refusing(self) -> bool:
        """Say whether the breaker will refuse, or let through a probe: neither needs a slot beforehand."""
        breaker = self._lane.breaker
        return breaker is not None and breaker.phase is not BreakerPhase.CLOSED


async def _all(worker: Callable[[], Awaitable[None]], count: int) -> None:
    """Run so many workers; when one breaks, or the caller is cancelled, none is left behind."""
    tasks = [asyncio.ensure_future(worker()) for _ in range(count)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
