"""The limiter as it is used: slots in batches, feedback gathered, and a pace for any callable by name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.resilience import (
    FallbackStore,
    HttpStatus,
    Limiter,
    MemoryStore,
    Pace,
    PaceExceeded,
    StoreUnavailable,
    UnknownRate,
    configure_rates,
    limiter_named,
    rate_limited,
)
from apps.resilience.testing import FakeClock

MINUTE = Pace.per_minute(60, burst=1)


class CountingStore(MemoryStore):
    """A memory store that counts its verbs and can be away."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []
        self.is_away = False

    def _ask(self, verb: str) -> None:
        if self.is_away:
            raise StoreUnavailable
        self.asked.append(verb)

    async def reserve(self, *args: Any, **known: Any) -> Any:
        self._ask("reserve")
        return await super().reserve(*args, **known)

    async def adapt(self, *args: Any, **known: Any) -> None:
        self._ask("adapt")
        await super().adapt(*args, **known)


def scene(pace: Pace = MINUTE) -> tuple[FakeClock, CountingStore, Limiter]:
    clock = FakeClock()
    store = CountingStore(clock)
    return clock, store, Limiter("vendor", pace, store=store, clock=clock)


def test_a_batch_of_a_hundred_slots_is_one_round_trip():
    _, store, limiter = scene()
    reservation = asyncio.run(limiter.reserve(100))
    assert (reservation.count, store.asked) == (100, ["reserve"])
    assert [reservation.wait_of_s(index) for index in (0, 1, 99)] == [0.0, 1.0, 99.0]


def test_a_batch_takes_only_what_fits_into_the_longest_wait():
    _, _, limiter = scene()
    assert asyncio.run(limiter.reserve(100, wait_s_max=30.0)).count == 31


def test_to_acquire_is_to_wait_for_the_slot():
    clock, _, limiter = scene()

    async def thrice() -> None:
        for _ in range(3):
            await limiter.acquire()

    asyncio.run(thrice())
    assert clock.slept_s == [1.0, 1.0]


def test_a_slot_that_is_too_far_away_is_refused_and_not_taken():
    clock, _, limiter = scene()
    asyncio.run(limiter.acquire())
    with pytest.raises(PaceExceeded) as caught:
        asyncio.run(limiter.acquire(wait_s_max=0.5))
    assert caught.value.retry_after_s == 1.0
    clock.advance(1.0)
    asyncio.run(limiter.acquire(wait_s_max=0.0))


def test_the_rules_as_written_ten_good_answers_a_refusal_and_an_error():
    async def play() -> list[float]:
        _, _, limiter = scene()
        seen = []
        await limiter.on_rate_limit()
        seen.append((await limiter.look()).interval_us / 1e6)
        for _ in range(10):
            await limiter.on_success()
        seen.append((await limiter.look()).interval_us / 1e6)
        await limiter.on_error()
        seen.append((await limiter.look()).interval_us / 1e6)
        for _ in range(100):
            await limiter.on_success()
        seen.append((await limiter.look()).interval_us / 1e6)
        return seen

    assert asyncio.run(play()) == [2.0, 1.8, 2.7, 1.0]


def test_good_answers_cost_nothing_while_nothing_slowed_the_pace_and_a_trip_for_ten_afterwards():
    async def play() -> tuple[int, int]:
        _, store, limiter = scene()
        await limiter.reserve()
        for _ in range(50):
            await limiter.on_success()
        before = store.asked.count("adapt")
        await limiter.on_rate_limit()
        await limiter.reserve()
        for _ in range(50):
            await limiter.on_success()
        return before, store.asked.count("adapt")

    assert asyncio.run(play()) == (0, 6)


def test_who_waits_when_a_pause_begins_takes_another_slot():
    async def play() -> float:
        clock, _, limiter = scene()
        started_s = clock.now_s()
        await limiter.acquire()

        async def refused_meanwhile(duration_s: float) -> None:
            clock.sleep_s = original  # type: ignore[method-assign]
            clock.advance(duration_s)
            await limiter.on_rate_limit(30.0)

        original, clock.sleep_s = clock.sleep_s, refused_meanwhile  # type: ignore[method-assign]
        await limiter.acquire()
        return clock.now_s() - started_s

    assert asyncio.run(play()) == 31.0


def test_when_the_store_is_away_each_process_keeps_its_share_of_the_quota_and_returns_by_itself():
    clock = FakeClock()
    shared = CountingStore(clock)
    store = FallbackStore(shared, MemoryStore(clock), clock=clock, processes_known=4)
    limiter = Limiter("vendor", Pace.per_minute(60, burst=1), store=store, clock=clock)

    async def granted_in_a_minute() -> int:
        return (await limiter.reserve(1_000, wait_s_max=59.999)).count

    shared.is_away = True
    assert asyncio.run(granted_in_a_minute()) == 15
    shared.is_away = False
    clock.advance(120.0)
    assert asyncio.run(granted_in_a_minute()) == 60
    assert store.fallbacks == 1


def test_the_lessons_of_the_shared_store_hold_for_the_spare():
    clock = FakeClock()
    shared = CountingStore(clock)
    limiter = Limiter("vendor", MINUTE, store=FallbackStore(shared, MemoryStore(clock), clock=clock), clock=clock)

    async def play() -> float:
        await limiter.on_rate_limit()
        await limiter.reserve()
        shared.is_away = True
        return (await limiter.reserve(2)).interval_s

    assert asyncio.run(play()) == 2.0


def test_any_callable_is_paced_by_name():
    clock = FakeClock()
    configure_rates({"newsapi": Pace.per_minute(60, burst=1)}, clock=clock)

    @rate_limited("newsapi")
    def plain(number: int) -> int:
        return number

    @rate_limited("newsapi")
    async def asynchronous(number: int) -> int:
        return number

    assert [plain(1), plain(2), asyncio.run(asynchronous(3))] == [1, 2, 3]
    assert clock.slept_s == [1.0, 1.0]


def test_a_rate_limit_that_a_callable_raises_slows_its_pace():
    clock = FakeClock()
    configure_rates({"reddit": MINUTE}, clock=clock)

    @rate_limited("reddit")
    def refused() -> None:
        raise HttpStatus(429, retry_after_s=7.0)

    with pytest.raises(HttpStatus):
        refused()
    state = asyncio.run(limiter_named("reddit").look())
    assert state.paused_until_us == round((clock.now_s() + 7.0) * 1e6)


@pytest.mark.parametrize(
    ("name", "quota"), [("newsapi", 100), ("reddit", 60), ("twitter", 15), ("polymarket", 300), ("gamma", 100)]
)
def test_the_published_quotas_are_known_by_name(name, quota):
    configure_rates()
    assert limiter_named(name).pace == Pace.per_minute(quota)


def test_an_unknown_name_is_said_plainly():
    configure_rates()
    with pytest.raises(UnknownRate, match="no rate is known for 'nobody'"):
        limiter_named("nobody")
