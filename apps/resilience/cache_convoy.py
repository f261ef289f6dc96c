"""Many loads for one batch: their leases, their looks at what others brought and their writes share round trips.

A batch takes leases for the keys that it loads next, not for all at once, so that nobody elsewhere waits for a key whose
turn is far off. Keys that another process is loading are set aside and asked for again with the next leases; two
processes with the same batch share the work between them. What was brought is written down together, at most
`WRITE_EVERY_S` late; its leases are renewed until then, so a process that dies hands over what it had not written.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.resilience.cache_ports import Claim, Found, Kept
from apps.resilience.cache_refresh import Brought, Refresh, Workshop
from apps.resilience.clock import wait_really_s
from apps.resilience.errors import StoreUnavailable, TimedOut
from apps.resilience.leases import Held, Lease, new_owner
from apps.resilience.singleflight import (
    LEASE_S,
    PAUSE_GROWTH,
    PAUSE_S,
    PAUSE_S_MAX,
    RENEWALS_PER_LEASE,
    FlightDropped,
    Singleflight,
    pause_before_asking_s,
)

WRITE_EVERY_S = 0.05
WRITES_AT_ONCE = 200
AHEAD = 2  # so many leases are taken for each load at once
Result = Kept | Exception


def _unforeseen(_count: int) -> None:
    """Expect nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """How a batch loads: so many at once, none begun after `ends_s` on the clock of durations.

    `foresee` is told how many loads are sure to come, before they do.
    """

    at_once: int
    ends_s: float = float("inf")
    foresee: Callable[[int], None] = _unforeseen


@dataclass(slots=True, eq=False)
class _Voyage:
    """One refresh on its way, the flight that others in this process may join, and the lease once it is ours."""

    refresh: Refresh
    flight: asyncio.Future[Kept]
    began_s: float
    lease: Lease | None = None


class Convoy:
    """Brings many values; `land` is told each as soon as it is there. `sail` once.

    What a loader raises that is no failure is a bug: it is in `bug`, and nothing further is begun.
    """

    def __init__(
        self,
        refreshes: Sequence[Refresh],
        *,
        shop: Workshop,
        flight: Singleflight[Kept],
        crew: Crew,
        land: Callable[[Refresh, Result], None],
    ) -> None:
        self._shop = shop
        self._flight = flight
        self._crew = crew
        self._land = land
        self._tick = shop.clock.monotonic_s
        self._owner = new_owner()
        self._waiting = deque(refreshes)
        self._held: list[_Voyage] = []
        self._ready: deque[_Voyage] = deque()
        self._afloat: dict[str, _Voyage] = {}
        self._returned: list[tuple[_Voyage, Result, Brought | None]] = []
        self._joined: list[asyncio.Task[None]] = []
        self._writes: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._mustering = asyncio.Lock()
        self._pause_s = PAUSE_S
        self._is_stopped = False
        self.bug: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def sail(self) -> None:
        """Bring all of them. Cancelled, it gives back what it holds."""
        crew = [asyncio.ensure_future(self._work()) for _ in range(min(self._crew.at_once, len(self._waiting)))]
        beat, is_broken_off = asyncio.ensure_future(self._beat()), False
        try:
            await asyncio.gather(*crew)
            await asyncio.gather(*self._joined, return_exceptions=True)
            self._write()
            await asyncio.gather(*self._writes)
        except asyncio.CancelledError:
            is_broken_off = True
            raise
        finally:
            await self._leave([beat, *crew], is_broken_off=is_broken_off)

    def stop(self) -> None:
        """Begin nothing more. What is begun goes on: others may wait for it."""
        self._is_stopped = True
        for task in self._joined:
            task.cancel()

    async def _work(self) -> None:
        while (voyage := await self._next()) is not None:
            await self._load(voyage)

    async def _next(self) -> _Voyage | None:
        """Return the next to load, None when there is no more."""
        while not self._is_stopped:
            if self._ready:
                return self._ready.popleft()
            async with self._mustering:
                if self._ready or self._is_stopped:
                    continue
                if not self._waiting and not self._held:
                    break
                await self._muster()
        return None

    async def _load(self, voyage: _Voyage) -> None:
        if voyage.lease is None or self._is_late():
            self._give_up(voyage)
            return
        try:
            brought = await voyage.refresh.bring(voyage.lease)
        except Exception as bug:  # noqa: BLE001  # raised in the batch, and for those who joined
            self._report(bug)
            self._returned.append((voyage, bug, None))
        else:
            self._return(voyage, brought.result, brought)

    async def _muster(self) -> None:
        """Take the leases of the next keys, and of those that were held, and make ready what nobody has brought meanwhile."""
        embarked = self._embarked()
        if not embarked and self._held:
            await self._shop.clock.sleep_s(self._pause_s)
        asked, self._held = embarked + self._held, []
        if not asked:
            return
        known = [(voyage.refresh.key, voyage.refresh.kept.fence) for voyage in asked]
        try:
            answers = await self._shop.store.claim_many(known, owner=self._owner, lease_s=LEASE_S)
        except StoreUnavailable as error:
            for voyage in asked:
                self._return(voyage, error)
            return
        self._sort(asked, answers)
        self._crew.foresee(len(self._ready))

    def _embarked(self) -> list[_Voyage]:
        """Begin the next flights; who finds one of this process under way joins it."""
        embarked: list[_Voyage] = []
        while self._waiting and len(embarked) < AHEAD * self._crew.at_once:
            refresh = self._waiting.popleft()
            if self._is_late():
                self._land(refresh, _no_time())
                continue
            flight = self._flight.flights.open(refresh.key)
            if flight is None:
                self._joined.append(asyncio.ensure_future(self._join(refresh)))
                continue
            voyage = self._afloat[refresh.key] = _Voyage(refresh, flight, self._tick())
            embarked.append(voyage)
        return embarked

    def _sort(self, asked: Sequence[_Voyage], answers: Sequence[Claim | Held]) -> None:
        """Make ready whose leases are ours, and set those aside that others have, for a time."""
        left_s = PAUSE_S_MAX
        for voyage, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Claim):
                voyage.lease = answer.lease
                self._recognise(voyage, answer.found)
            elif self._tick() - voyage.began_s >= self._flight.wait_s_max:
                self._return(voyage, self._flight.waited_too_long(voyage.refresh.key))
            else:
                self._held.append(voyage)
                left_s = min(left_s, answer.left_s)
        grown_s = PAUSE_S if len(self._held) < len(asked) else min(self._pause_s * PAUSE_GROWTH, PAUSE_S_MAX)
        self._pause_s = pause_before_asking_s(grown_s, Held(fence=0, left_s=left_s))

    def _recognise(self, voyage: _Voyage, found: Found | None) -> None:
        """Take what another process has brought meanwhile; what nobody has is ready to be loaded."""
        seen = None
        if found is not None:
            try:
                seen = voyage.refresh.recognised(self._shop.understood(voyage.refresh.key, found))
            except self._shop.failures as error:
                self._return(voyage, error)
                return
        if seen is None:
            self._ready.append(voyage)
        else:
            self._return(voyage, seen)

    async def _join(self, refresh: Refresh) -> None:
        try:
            result: Result = await self._flight.do(refresh.key, refresh.work, seen=refresh.seen)
        except self._shop.failures as error:
            result = error
        except Exception as bug:  # noqa: BLE001  # raised in the batch
            self._report(bug)
            return
        self._land(refresh, result)

    def _return(self, voyage: _Voyage, result: Result, brought: Brought | None = None) -> None:
        """Tell the result, and let it be written down with others."""
        self._returned.append((voyage, result, brought))
        if len(self._returned) >= WRITES_AT_ONCE:
            self._write()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_EVERY_S, self._write)
        self._land(voyage.refresh, result)

    def _give_up(self, voyage: _Voyage) -> None:
        """Leave one that was not begun to those who wait for it beside us."""
        self._returned.append((voyage, FlightDropped(), None))
        self._land(voyage.refresh, _no_time())

    def _report(self, bug: Exception) -> None:
        if not self.bug.done():
            self.bug.set_exception(bug)
        self.stop()

    def _write(self) -> None:
        """Write down what has come back, beside the loads."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        returned, self._returned = self._returned, []
        if returned:
            writing = asyncio.ensure_future(self._write_down(returned))
            self._writes.add(writing)
            writing.add_done_callback(self._writes.discard)

    async def _write_down(self, returned: Sequence[tuple[_Voyage, Result, Brought | None]]) -> None:
        """Write, give the leases back, and let those in this process have the results who joined."""
        await self._shop.write_down([brought for _, _, brought in returned if brought is not None], give_back=True)
        await self._give_back([voyage for voyage, _, brought in returned if brought is None])
        for voyage, result, _ in returned:
            self._afloat.pop(voyage.refresh.key, None)
            self._flight.flights.settle(voyage.refresh.key, voyage.flight, result)

    async def _beat(self) -> None:
        """Renew the leases for as long as the convoy is at sea; a store that is away is asked again at the next beat."""
        while True:
            await wait_really_s(LEASE_S / RENEWALS_PER_LEASE)
            leases = [voyage.lease for voyage in self._afloat.values() if voyage.lease is not None]
            await self._flight.renew_many(leases)

    async def _give_back(self, voyages: Sequence[_Voyage]) -> None:
        leases = [voyage.lease for voyage in voyages if voyage.lease is not None]
        if leases:
            await self._flight.give_back_many(leases)

    async def _leave(self, tasks: Sequence[asyncio.Task[None]], *, is_broken_off: bool) -> None:
        """End what still runs; what was not begun is dropped, or broken off with us."""
        if self._timer is not None:
            self._timer.cancel()
        ending = [*tasks, *self._joined, *self._writes]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        left = list(self._afloat.values())
        await self._give_back(left)
        for voyage in left:
            if is_broken_off:
                voyage.flight.cancel()
            self._flight.flights.settle(voyage.refresh.key, voyage.flight, FlightDropped())

    def _is_late(self) -> bool:
        return self._tick() >= self._crew.ends_s


def _no_time() -> TimedOut:
    return TimedOut("no time left for this call")
