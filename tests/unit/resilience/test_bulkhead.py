"""Places, a line, and a limit to standing in it."""

from __future__ import annotations

import asyncio

import pytest

from apps.resilience.bulkhead import Bulkhead, BulkheadRule
from apps.resilience.errors import BulkheadFull


def test_only_so_many_are_inside_at_once_and_all_come_in_turn():
    async def scene():
        bulkhead = Bulkhead("vendor", BulkheadRule(concurrent=3))
        inside: list[int] = []
        order: list[int] = []
        most = 0

        async def call(number: int) -> None:
            nonlocal most
            await bulkhead.enter(60)
            inside.append(number)
            order.append(number)
            most = max(most, len(inside))
            await asyncio.sleep(0.001)
            inside.remove(number)
            bulkhead.leave()

        await asyncio.gather(*[call(number) for number in range(20)])
        return most, order, bulkhead.inside, bulkhead.waiting

    assert asyncio.run(scene()) == (3, list(range(20)), 0, 0)


def test_who_finds_the_line_full_is_refused_at_once():
    async def scene():
        bulkhead = Bulkhead("vendor", BulkheadRule(concurrent=1, queued=1))
        await bulkhead.enter(60)
        second = asyncio.create_task(bulkhead.enter(60))
        await asyncio.sleep(0)
        with pytest.raises(BulkheadFull):
            await bulkhead.enter(60)
        assert (bulkhead.inside, bulkhead.waiting) == (1, 1)
        bulkhead.leave()
        await second
        return bulkhead.inside, bulkhead.waiting

    assert asyncio.run(scene()) == (1, 0)


@pytest.mark.parametrize(("wait_s", "left_s"), [(0.02, 60.0), (60.0, 0.02)])
def test_who_stands_too_long_is_refused_and_leaves_no_trace(wait_s, left_s):
    async def scene():
        bulkhead = Bulkhead("vendor", BulkheadRule(concurrent=1, wait_s=wait_s))
        await bulkhead.enter(60)
        with pytest.raises(BulkheadFull):
            await bulkhead.enter(left_s)
        assert (bulkhead.inside, bulkhead.waiting) == (1, 0)
        bulkhead.leave()
        return bulkhead.inside, bulkhead.try_enter()

    assert asyncio.run(scene()) == (0, True)


def test_who_gives_up_leaves_the_line_and_the_next_moves_up():
    async def scene():
        bulkhead = Bulkhead("vendor", BulkheadRule(concurrent=1))
        await bulkhead.enter(60)
        second, third = (asyncio.create_task(bulkhead.enter(60)) for _ in range(2))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        bulkhead.leave()
        await third
        return second.cancelled(), bulkhead.inside, bulkhead.waiting

    assert asyncio.run(scene()) == (True, 1, 0)


def test_a_place_handed_to_somebody_who_gives_up_in_that_moment_is_not_lost():
    async def scene():
        bulkhead = Bulkhead("vendor", BulkheadRule(concurrent=1))
        await bulkhead.enter(60)
        second, third = (asyncio.create_task(bulkhead.enter(60)) for _ in range(2))
        await asyncio.sleep(0)
        bulkhead.leave()  # the place is the second's now, who has not woken up yet
        second.cancel()
        await third
        return second.cancelled(), bulkhead.inside, bulkhead.waiting

    assert asyncio.run(scene()) == (True, 1, 0)


def test_nobody_jumps_the_line():
    async def scene():
        bulkhead = Bulkhead("vendor", BulkheadRule(concurrent=1))
        await bulkhead.enter(60)
        second = asyncio.create_task(bulkhead.enter(60))
        await asyncio.sleep(0)
        bulkhead.leave()
        assert not bulkhead.try_enter()
        await second
        return bulkhead.inside

    assert asyncio.run(scene()) == 1


@pytest.mark.parametrize("limits", [{"concurrent": 0}, {"queued": -1}, {"wait_s": -1.0}])
def test_a_bulkhead_without_places_is_refused(limits):
    with pytest.raises(ValueError, match="bulkhead"):
        BulkheadRule(**limits)
