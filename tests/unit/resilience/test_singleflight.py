"""One call in flight per key: shared by callers, not broken by one who leaves, handed over when its leader is gone."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from apps.resilience import Lease, Singleflight, StoreUnavailable, TimedOut
from apps.resilience.singleflight import Flights
from apps.resilience.stores.memory_leases import KEYS_MAX, MemoryLeases
from apps.resilience.testing import FakeClock


class Work:
    """Work that ends when it is told to, counting how often it was begun and how often it was broken off."""

    def __init__(self, error=None):
        self.begun = 0
        self.broken_off = 0
        self.leases = []
        self.error = error
        self.may_end = asyncio.Event()

    async def __call__(self, lease=None):
        self.begun += 1
        self.leases.append(lease)
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.broken_off += 1
            raise
        if self.error is not None:
            raise self.error
        return f"result {self.begun}"


def flight_of(leases, **how) -> Singleflight[Any]:
    return Singleflight(leases, **how)


async def granted(leases, key, **how) -> Lease:
    lease = await leases.acquire(key, **({"owner": "one", "lease_s": 1} | how))
    assert isinstance(lease, Lease)
    return lease


def test_all_callers_of_a_key_share_one_call_and_other_keys_have_their_own():
    async def scene():
        flight: Singleflight[str] = Singleflight(MemoryLeases())
        work, other = Work(), Work()
        callers = [asyncio.ensure_future(flight.do("key", work)) for _ in range(200)]
        another = asyncio.ensure_future(flight.do("another", other))
        await asyncio.sleep(0.01)
        work.may_end.set()
        other.may_end.set()
        return work, set(await asyncio.gather(*callers)), await another, other

    work, results, another, other = asyncio.run(scene())
    assert (work.begun, results) == (1, {"result 1"})
    assert (other.begun, another) == (1, "result 1")


def test_the_next_caller_after_the_landing_flies_anew():
    async def scene():
        flight: Singleflight[str] = Singleflight(MemoryLeases())
        work = Work()
        work.may_end.set()
        return [await flight.do("key", work) for _ in range(3)], work

    results, work = asyncio.run(scene())
    assert results == ["result 1", "result 2", "result 3"]
    fences = [lease.fence for lease in work.leases]
    assert fences == sorted(set(fences))


def test_an_error_is_shared_by_all():
    async def scene():
        flight: Singleflight[str] = Singleflight(MemoryLeases())
        work = Work(error=TimedOut("late"))
        work.may_end.set()
        return await asyncio.gather(*(flight.do("key", work) for _ in range(50)), return_exceptions=True), work

    outcomes, work = asyncio.run(scene())
    assert (work.begun, {str(outcome) for outcome in outcomes}) == (1, {"late"})


def test_the_first_caller_who_is_cancelled_leaves_the_call_to_the_others():
    async def scene():
        flight: Singleflight[str] = Singleflight(MemoryLeases())
        work = Work()
        first, second = (asyncio.ensure_future(flight.do("key", work)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        work.may_end.set()
        result = await second
        return work, result, first.cancelled()

    work, result, is_cancelled = asyncio.run(scene())
    assert (work.begun, work.broken_off, result, is_cancelled) == (1, 0, "result 1", True)


def test_closing_breaks_off_what_is_in_flight_and_gives_its_lease_back():
    async def scene():
        leases, work = MemoryLeases(), Work()
        flight: Singleflight[str] = Singleflight(leases)
        caller = asyncio.ensure_future(flight.do("key", work))
        await asyncio.sleep(0.01)
        await flight.close()
        taken = await leases.acquire("key", owner="next", lease_s=1)
        return work, isinstance(taken, Lease), await asyncio.gather(caller, return_exceptions=True)

    work, is_free, outcome = asyncio.run(scene())
    assert (work.begun, work.broken_off, is_free) == (1, 1, True)
    assert isinstance(outcome[0], asyncio.CancelledError)


def test_a_flight_that_nobody_waits_for_is_not_reported_as_lost(caplog):
    async def scene():
        flights: Flights[str] = Flights()
        work = Work(error=TimedOut())
        flights.start("key", work)
        work.may_end.set()
        await asyncio.sleep(0.01)
        gc.collect()
        return "key" in flights, work.begun

    assert asyncio.run(scene()) == (False, 1)
    assert caplog.records == []


def test_across_processes_a_follower_takes_the_leaders_result():
    async def scene():
        leases, work, board = MemoryLeases(), Work(), []

        async def lead(_lease):
            board.append(await work())
            return board[0]

        async def seen():
            return board[0] if board else None

        flights: list[Singleflight[str]] = [Singleflight(leases) for _ in range(4)]  # as four processes would have
        callers = [asyncio.ensure_future(flight.do("key", lead, seen=seen)) for flight in flights]
        await asyncio.sleep(0.05)
        work.may_end.set()
        return await asyncio.gather(*callers), work

    results, work = asyncio.run(scene())
    assert (results, work.begun) == (["result 1"] * 4, 1)


def test_without_a_place_for_results_one_works_after_the_other():
    async def scene():
        leases, at_work, most = MemoryLeases(), 0, 0

        async def work(_lease):
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0.005)
            at_work -= 1
            return True

        results = await asyncio.gather(*(flight_of(leases).do("key", work) for _ in range(5)))
        return results, most

    assert asyncio.run(scene()) == ([True] * 5, 1)


def test_a_leader_that_works_longer_than_its_lease_renews_it():
    async def scene():
        leases, work = MemoryLeases(), Work()
        caller = asyncio.ensure_future(flight_of(leases).do("key", work, lease_s=0.15))
        taken = []
        for _ in range(10):
            await asyncio.sleep(0.05)
            taken.append(await leases.acquire("key", owner="thief", lease_s=1))
        work.may_end.set()
        return taken, await caller

    taken, result = asyncio.run(scene())
    assert result == "result 1"
    assert [answer for answer in taken if isinstance(answer, Lease)] == []


def test_the_lease_of_a_dead_leader_passes_on():
    async def scene():
        leases, work = MemoryLeases(), Work()
        dead = await granted(leases, "key", owner="dead", lease_s=0.1)
        work.may_end.set()
        result = await flight_of(leases).do("key", work, lease_s=0.1)
        return dead, work, result, await leases.renew(dead), await leases.release(dead)

    dead, work, result, is_renewed, is_released = asyncio.run(scene())
    assert (result, is_renewed, is_released) == ("result 1", False, False)
    assert work.leases[0].fence > dead.fence


def test_waiting_for_a_leader_has_an_end():
    async def scene():
        leases, work, clock = MemoryLeases(), Work(), FakeClock()
        await leases.acquire("key", owner="slow", lease_s=3_600)
        with pytest.raises(TimedOut, match="another process"):
            await flight_of(leases, clock=clock, wait_s_max=30).do("key", work)
        return work, clock

    work, clock = asyncio.run(scene())
    assert work.begun == 0
    assert 30 <= sum(clock.slept_s) < 31
    assert max(clock.slept_s) <= 0.1


def test_leases_that_are_away_for_a_moment_do_not_break_the_work():
    class Flaky(MemoryLeases):
        async def renew(self, lease):
            raise StoreUnavailable

        async def release(self, lease):
            raise StoreUnavailable

    async def scene():
        work = Work()
        caller = asyncio.ensure_future(flight_of(Flaky()).do("key", work, lease_s=0.03))
        await asyncio.sleep(0.05)
        work.may_end.set()
        return await caller

    assert asyncio.run(scene()) == "result 1"


def test_many_keys_do_not_fill_the_memory_and_fences_still_grow():
    async def scene():
        leases = MemoryLeases()
        first = await granted(leases, "key")
        await leases.release(first)
        for number in range(KEYS_MAX + 10):
            await leases.release(await granted(leases, f"other {number}"))
        forgotten = leases.fence_of("key")
        return first, forgotten, await granted(leases, "key", owner="two")

    first, forgotten, second = asyncio.run(scene())
    assert forgotten == 0
    assert second.fence > first.fence
