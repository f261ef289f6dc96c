"""Many calls to one other side: a value for each, in order, with as few round trips to the shared store as one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from apps.resilience.breaker import BreakerPhase
from apps.resilience.clock import Clock
from apps.resilience.errors import KitError, TimedOut
from apps.resilience.exchange import Request, Response
from apps.resilience.lanes import Lane
from apps.resilience.layers import Layers
from apps.resilience.slots import Slots

Outcome = Response | KitError
Ask = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class Errand:
    """One call of a batch and the places in the caller's list that its outcome goes to."""

    request: Request
    places: list[int]


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
    """Runs errands on one lane, so many at once; `ends_s` is the deadline of all of them together."""

    def __init__(self, layers: Layers, clock: Clock, lane: Lane, *, ends_s: float) -> None:
        self._layers = layers
        self._clock = clock
        self._lane = lane
        self._ends_s = ends_s

    async def run(self, requests: Sequence[Request], *, concurrency: int, ask: Ask | None = None) -> list[Outcome]:
        """Return the outcomes in the order of the requests. `ask` makes a call in another way than straight on the lane.

        Raises nothing for a call that fails. What is not the kit's own error is a bug: it breaks the batch off.
        """
        outcomes: list[Outcome | None] = [None] * len(requests)
        errands = errands_of(requests)
        slots = None if ask else self._slots(len(errands))
        work = iter(errands)

        async def worker() -> None:
            for errand in work:
                outcome = await self._outcome(errand.request, slots, ask)
                for place in errand.places:
                    outcomes[place] = outcome

        await _all(worker, min(concurrency, len(errands)))
        return [outcome for outcome in outcomes if outcome is not None]

    async def _outcome(self, request: Request, slots: Slots | None, ask: Ask | None) -> Outcome:
        try:
            if ask is not None:
                return await ask(request) if self._clock.monotonic_s() < self._ends_s else TimedOut("no time left for this call")
            slot = None if slots is None or self._is_refusing() else await slots.take()
            return await self._layers.travel(request, self._lane, ends_s=self._ends_s, slot=slot)
        except KitError as error:
            return error

    def _slots(self, count: int) -> Slots | None:
        limiter = self._lane.limiter
        return None if limiter is None else Slots(limiter, self._clock, count=count, ends_s=self._ends_s)

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
