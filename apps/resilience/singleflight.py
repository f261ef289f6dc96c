"""One call in flight per key: in this process all callers share it, across processes a lease lets one do the work.

The leader renews its lease while it works. When it dies, its lease ends within `lease_s` and a follower takes over. A
follower asks for the lease again and again with short pauses (one asker per process and key, so polling costs less than
a subscription would), and looks for the leader's result when it gets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import StoreUnavailable, TimedOut
from apps.resilience.leases import Held, Lease, LeaseStore, new_owner

T = TypeVar("T")
LEASE_S = 3.0  # with three renewals in it: a dead leader is replaced in about this time
WAIT_S_MAX = 30.0
RENEWALS_PER_LEASE = 3
PAUSE_S = 0.01
PAUSE_S_MAX = 0.1
PAUSE_GROWTH = 1.5


class FlightDropped(Exception):
    """The call that was joined was never begun. Whoever joined it begins anew."""


class Flights(Generic[T]):
    """Calls in flight in this process, on one event loop. A caller who is cancelled leaves the call to the others."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Future[T]] = {}

    def start(self, key: str, work: Callable[[], Awaitable[T]]) -> asyncio.Future[T]:
        """Return the call of this key that is in flight, or start it."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.ensure_future(_as_coroutine(work))
            flight.add_done_callback(lambda done: self._landed(key, done))
        return flight

    def open(self, key: str) -> asyncio.Future[T] | None:
        """Return a new flight that its opener `settle`s, None when one of this key is under way."""
        if key in self._flights:
            return None
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        return flight

    def settle(self, key: str, flight: asyncio.Future[T], result: T | Exception) -> None:
        """Let those who joined the opened flight have its result, or its error."""
        if not flight.done():
            if isinstance(result, Exception):
                flight.set_exception(result)
            else:
                flight.set_result(result)
        self._landed(key, flight)

    async def join(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """Share the call of this key and return what it brings, or raise what it raises."""
        return await asyncio.shield(self.start(key, work))

    def __contains__(self, key: str) -> bool:
        """Whether a call of this key is in flight."""
        return key in self._flights

    async def close(self) -> None:
        """Break off what is in flight."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _landed(self, key: str, flight: asyncio.Future[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # looked at, so that a flight that nobody waits for any more is not reported as lost


class Singleflight(Generic[T]):
    """One call in flight per key across all processes that use the same leases. For one event loop.

    With leases that only this process knows it works in this process alone.
    """

    def __init__(self, leases: LeaseStore, *, clock: Clock | None = None, wait_s_max: float = WAIT_S_MAX) -> None:
        self._clock = clock or SystemClock()
        self.leases = leases
        self.wait_s_max = wait_s_max
        self.flights: Flights[T] = Flights()

    async def do(
        self,
        key: str,
        work: Callable[[Lease], Awaitable[T]],
        *,
        seen: Callable[[], Awaitable[T | None]] | None = None,
        lease_s: float = LEASE_S,
    ) -> T:
        """Return what `work` brings, done by one caller at a time.

        `seen` looks for a result that another process has brought since the caller looked, and returns None for none; it
        is asked when the lease is ours. Without it every process does the work, one after the other. Raises what the
        work raises, and TimedOut after waiting `wait_s_max` for a leader.
        """
        try:
            return await self.flights.join(key, lambda: self._fly(key, work, seen, lease_s))
        except FlightDropped:
            return await self.do(key, work, seen=seen, lease_s=lease_s)

    def start(
        self,
        key: str,
        work: Callable[[Lease], Awaitable[T]],
        *,
        seen: Callable[[], Awaitable[T | None]] | None = None,
        lease_s: float = LEASE_S,
    ) -> asyncio.Future[T] | None:
        """Begin as `do` would, without waiting; None when a call of this key was in flight already."""
        if key in self.flights:
            return None
        return self.flights.start(key, lambda: self._fly(key, work, seen, lease_s))

    async def close(self) -> None:
        """Break off what is in flight; its leases are given back."""
        await self.flights.close()

    async def renew_many(self, leases: Sequence[Lease]) -> bool:
        """Renew; a store that is away for a moment is asked again at the next beat. Say whether all are still ours."""
        try:
            return all(await self.leases.renew_many(leases))
        except StoreUnavailable:
            return False

    async def give_back_many(self, leases: Sequence[Lease]) -> bool:
        """Release; when the store is away, the leases end by themselves. Say whether all were still ours."""
        try:
            return all(await self.leases.release_many(leases))
        except StoreUnavailable:
            return False

    def waited_too_long(self, key: str) -> TimedOut:
        """Return the error of who waited in vain for the leader of `key`."""
        return TimedOut(f"another process has been working on {key} for {self.wait_s_max:g} s")

    async def _fly(
        self,
        key: str,
        work: Callable[[Lease], Awaitable[T]],
        seen: Callable[[], Awaitable[T | None]] | None,
        lease_s: float,
    ) -> T:
        lease = await self._take(key, lease_s)
        try:
            result = None if seen is None else await seen()
            return await self._lead(lease, work) if result is None else result
        finally:
            await self.give_back_many([lease])

    async def _take(self, key: str, lease_s: float) -> Lease:
        """Wait for the lease."""
        owner, pause_s = new_owner(), PAUSE_S
        ends_s = self._clock.monotonic_s() + self.wait_s_max
        while True:
            answer = await self.leases.acquire(key, owner=owner, lease_s=lease_s)
            if isinstance(answer, Lease):
                return answer
            if self._clock.monotonic_s() >= ends_s:
                raise self.waited_too_long(key)
            await self._clock.sleep_s(pause_before_asking_s(pause_s, answer))
            pause_s = min(pause_s * PAUSE_GROWTH, PAUSE_S_MAX)

    async def _lead(self, lease: Lease, work: Callable[[Lease], Awaitable[T]]) -> T:
        """Do the work and renew the lease meanwhile; the work goes on when the lease is lost, its writes are fenced."""
        task = asyncio.ensure_future(_as_coroutine(lambda: work(lease)))
        try:
            while not (await asyncio.wait({task}, timeout=lease.lease_s / RENEWALS_PER_LEASE))[0]:
                await self.renew_many([lease])
        finally:
            if not task.done():  # we are broken off: the lease is given back when the work has stopped
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return task.result()


async def _as_coroutine(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def pause_before_asking_s(pause_s: float, held: Held) -> float:
    """Return the pause before asking again: not past the end of the lease, in case its owner is dead."""
    return max(PAUSE_S, min(pause_s, held.left_s))
