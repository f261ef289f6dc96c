"""Many calls to one other side: a value for each, in order, with as few round trips to the shared store as one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from apps.resilience.breaker import BreakerPhase
from apps.resilience.clock import Clock
from apps.resilience.errors import KitError, PaceExceeded
from apps.resilience.exchange import Journey, Request, Response
from apps.resilience.lanes import Lane
from apps.resilience.layers import Layers, Slot
from apps.resilience.limiter import Reservation

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
        if request.is_question:
            known_errand = known.get(request.identity)
            if known_errand is not None:
                known_errand.places.append(place)
                continue
        errand = Errand(request, [place])
        errands.append(errand)
        if request.is_question:
            known[request.identity] = errand
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
        slots = self._no_slots() if ask else await self._slots(len(errands))
        work = iter(errands)

        async def worker() -> None:
            for errand in work:
                outcome = await self._outcome(errand.request, next(slots, None), ask)
                for place in errand.places:
                    outcomes[place] = outcome

        await _all(worker, min(concurrency, len(errands)))
        return [outcome for outcome in outcomes if outcome is not None]

    async def _outcome(self, request: Request, slot: Slot | KitError | None, ask: Ask | None) -> Outcome:
        if isinstance(slot, KitError):
            return slot
        try:
            if ask is not None:
                return await ask(request)
            return await self._layers.travel(request, self._lane, ends_s=self._ends_s, slot=slot)
        except KitError as error:
            return error

    async def _slots(self, count: int) -> Iterator[Slot | KitError]:
        """Reserve slots for all in one trip; who gets none within the deadline is refused at once."""
        limiter, breaker = self._lane.limiter, self._lane.breaker
        if limiter is None or count < 2 or (breaker is not None and breaker.phase is not BreakerPhase.CLOSED):
            return self._no_slots()
        began_s = self._clock.monotonic_s()
        try:
            reservation = await limiter.reserve(count, wait_s_max=max(0.0, self._ends_s - began_s))
        except KitError as error:
            return iter([error] * count)
        return self._slots_of(reservation, count, began_s)

    def _slots_of(self, reservation: Reservation, count: int, began_s: float) -> Iterator[Slot | KitError]:
        taken = reservation.count if reservation.granted else 0
        for index in range(taken):
            yield Slot(began_s + reservation.wait_of_s(index), reservation)
        for index in range(taken, count):
            error = PaceExceeded(f"no free slot for {self._lane.policy.key} in time", retry_after_s=reservation.wait_of_s(index))
            error.journey = Journey()
            yield error

    def _no_slots(self) -> Iterator[Slot | KitError]:
        return iter(())


async def _all(worker: Callable[[], Awaitable[None]], count: int) -> None:
    """Run so many workers; when one breaks, or the caller is cancelled, none is left behind."""
    tasks = [asyncio.ensure_future(worker()) for _ in range(count)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
