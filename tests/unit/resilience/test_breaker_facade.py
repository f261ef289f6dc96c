"""The breaker as it is used: what costs a round trip and what does not, in every form of use."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.resilience import Breaker, BreakerOpen, BreakerPhase, BreakerRule, MemoryStore, StoreUnavailable, Verdict
from apps.resilience.hooks import BreakerChanged, Event
from apps.resilience.testing import FakeClock


class CountingStore(MemoryStore):
    """A memory store that keeps the names of the verbs it was asked."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []

    async def admit(self, *args: Any, **known: Any) -> Any:
        self.asked.append("admit")
        return await super().admit(*args, **known)

    async def report(self, *args: Any, **known: Any) -> Any:
        self.asked.append("report")
        return await super().report(*args, **known)


class Ill(Exception):
    """The other side is ill."""


class Scene:
    """A clock, a store and any number of processes with a breaker of the same key."""

    def __init__(self, **rule: Any) -> None:
        self.clock = FakeClock()
        self.store = CountingStore(self.clock)
        self.rule = BreakerRule(**rule)
        self.events: list[Event] = []

    def breaker(self, **known: Any) -> Breaker:
        return Breaker("vendor", store=self.store, rule=self.rule, clock=self.clock, hooks=[self.events.append], **known)


def well() -> str:
    return "well"


def ill() -> str:
    raise Ill


async def well_async() -> str:
    return "well"


async def ill_async() -> str:
    raise Ill


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Ill):
            breaker.call(ill)


def test_a_closed_breaker_makes_one_round_trip_however_many_calls_go_well():
    scene = Scene()
    breaker = scene.breaker()
    assert [breaker.call(well) for _ in range(1_000)] == ["well"] * 1_000
    assert scene.store.asked == ["report"]


def test_failures_in_a_row_of_several_processes_open_it_for_all_within_a_second():
    scene = Scene(failures=5)
    first, second, third = scene.breaker(), scene.breaker(), scene.breaker()
    third.call(well)
    fail(first, 3)
    fail(second, 2)
    assert (second.phase, third.phase) == (BreakerPhase.OPEN, BreakerPhase.CLOSED)
    assert third.call(well) == "well"  # its view is younger than a second
    scene.clock.advance(1.0)
    with pytest.raises(BreakerOpen):
        third.call(well)


def test_a_success_elsewhere_starts_the_shared_count_anew():
    scene = Scene(failures=5)
    first, second = scene.breaker(), scene.breaker()
    fail(first, 4)
    second.call(well)
    fail(first, 4)
    assert first.phase is BreakerPhase.CLOSED


def test_an_open_breaker_refuses_without_a_round_trip_and_counts_what_it_saved():
    scene = Scene(failures=1, open_s=60.0)
    breaker = scene.breaker()
    fail(breaker, 1)
    asked = len(scene.store.asked)
    for _ in range(100):
        with pytest.raises(BreakerOpen) as caught:
            breaker.call(well)
    assert (len(scene.store.asked), caught.value.retry_after_s) == (asked, 60.0)
    assert asyncio.run(breaker.look()).saved == 100


def test_after_the_recovery_time_one_probe_goes_and_its_success_closes_it():
    scene = Scene(failures=1, open_s=60.0)
    breaker = scene.breaker()
    fail(breaker, 1)
    scene.clock.advance(60.0)
    assert breaker.call(well) == "well"
    changes = [event.phase for event in scene.events if isinstance(event, BreakerChanged)]
    assert changes == [BreakerPhase.OPEN, BreakerPhase.HALF_OPEN, BreakerPhase.CLOSED]


def test_a_probe_that_fails_opens_it_for_another_recovery_time():
    scene = Scene(failures=3, open_s=60.0)
    breaker = scene.breaker()
    fail(breaker, 3)
    scene.clock.advance(60.0)
    fail(breaker, 1)
    with pytest.raises(BreakerOpen) as caught:
        breaker.call(well)
    assert caught.value.retry_after_s == 60.0


def test_while_a_probe_is_on_its_way_nobody_else_goes():
    scene = Scene(failures=1, open_s=60.0)
    breaker, other = scene.breaker(), scene.breaker()
    fail(breaker, 1)
    scene.clock.advance(60.0)

    async def both() -> int:
        probe = await breaker.admit()
        refused = 0
        for asking in (breaker, other, other):
            try:
                await asking.admit()
            except BreakerOpen:
                refused += 1
        await breaker.report(probe, Verdict.SUCCESS)
        return refused

    assert asyncio.run(both()) == 3
    scene.clock.advance(0.2)
    assert (other.call(well), other.phase) == ("well", BreakerPhase.CLOSED)


def test_slow_calls_open_it_though_they_succeed():
    scene = Scene(calls_min=10, slow_rate=0.8, slow_s=2.0)
    breaker = scene.breaker()
    for _ in range(10):
        breaker.call(lambda: scene.clock.advance(2.1))
    with pytest.raises(BreakerOpen):
        breaker.call(well)


def test_a_failure_rate_opens_it_though_no_failures_are_in_a_row():
    scene = Scene(calls_min=20, failure_rate=0.5)
    breaker = scene.breaker()
    for _ in range(10):
        breaker.call(well)
        fail(breaker, 1)
    with pytest.raises(BreakerOpen):
        breaker.call(well)


def test_only_what_counts_is_held_against_the_other_side():
    scene = Scene(failures=2)
    breaker = scene.breaker(counts=lambda error: isinstance(error, ConnectionError))
    fail(breaker, 10)
    assert breaker.phase is BreakerPhase.CLOSED


def test_it_guards_functions_and_blocks_plain_and_asynchronous():
    scene = Scene(failures=4)
    breaker = scene.breaker()

    async def asynchronously() -> None:
        assert await breaker(well_async)() == "well"
        with pytest.raises(Ill):
            await breaker(ill_async)()
        with pytest.raises(Ill):
            async with breaker:
                raise Ill

    asyncio.run(asynchronously())
    assert breaker(well)() == "well"  # and the count starts anew
    asyncio.run(asynchronously_failing(breaker))
    with pytest.raises(Ill):
        breaker(ill)()
    with pytest.raises(Ill), breaker:
        raise Ill
    with pytest.raises(BreakerOpen), breaker:
        well()
    assert breaker(well).__name__ == "well"


async def asynchronously_failing(breaker: Breaker) -> None:
    with pytest.raises(Ill):
        await breaker.call_async(ill_async)
    with pytest.raises(Ill):
        async with breaker:
            raise Ill


def test_a_call_that_is_broken_off_says_nothing_and_gives_its_place_back():
    scene = Scene(failures=1, open_s=60.0)
    breaker = scene.breaker()
    fail(breaker, 1)
    scene.clock.advance(60.0)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaker.call(interrupted)
    assert breaker.phase is BreakerPhase.HALF_OPEN
    scene.clock.advance(0.2)
    assert breaker.call(well) == "well"


def test_a_reset_by_hand_closes_it():
    scene = Scene(failures=1)
    breaker = scene.breaker()
    fail(breaker, 1)
    asyncio.run(breaker.reset())
    assert breaker.call(well) == "well"


def test_counts_survive_a_store_that_is_away_for_a_moment():
    class Flickering(CountingStore):
        is_away = False

        async def report(self, *args: Any, **known: Any) -> Any:
            if self.is_away:
                raise StoreUnavailable
            return await super().report(*args, **known)

    scene = Scene()
    scene.store = store = Flickering(scene.clock)
    breaker = scene.breaker()
    for _ in range(7):
        breaker.call(well)
    store.is_away = True
    with pytest.raises(StoreUnavailable):
        asyncio.run(breaker.look())
    store.is_away = False
    assert asyncio.run(breaker.look()).window.total.calls == 7
