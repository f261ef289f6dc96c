"""The shared store: its Lua is the twin of the pure functions, and its quota holds between threads."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid

import pytest
from django.conf import settings as desk

from apps.resilience import (
    BreakerPhase,
    BreakerRule,
    FallbackStore,
    Feedback,
    MemoryStore,
    Pace,
    RedisStore,
    StoreUnavailable,
    Verdict,
)
from apps.resilience.windows import MICROSECONDS


@pytest.fixture
def key() -> str:
    return f"test-{uuid.uuid4().hex}"


def test_the_quota_holds_between_threads(key):
    pace, granted, lock = Pace.per_minute(120, burst=20), [], threading.Lock()

    async def take() -> None:
        store = RedisStore(desk.KIT_REDIS_URL)
        for _ in range(50):
            asked_s = time.monotonic()
            reservation = await store.reserve(key, pace, wait_s_max=0)
            if reservation.granted:
                with lock:
                    granted.append(asked_s)
        await store.close()

    began_s = time.monotonic()
    threads = [threading.Thread(target=lambda: asyncio.run(take())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    earned = int((time.monotonic() - began_s) * MICROSECONDS / pace.interval_us)
    assert 20 <= len(granted) <= 20 + earned + 1


def test_reservations_of_many_threads_are_all_different_slots(key):
    pace, waits, lock = Pace(interval_us=1_000_000), [], threading.Lock()

    async def take() -> None:
        store = RedisStore(desk.KIT_REDIS_URL)
        for _ in range(10):
            reservation = await store.reserve(key, pace, wait_s_max=1000)
            with lock:
                waits.append(reservation.wait_s)
        await store.close()

    threads = [threading.Thread(target=lambda: asyncio.run(take())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == 40
    assert 38 <= max(waits) <= 39.0


def test_half_open_lets_one_probe_through_across_stores(key):
    rule = BreakerRule(failures=1, open_s=0.05, probes=1)

    async def scene() -> tuple[list[bool], list[BreakerPhase]]:
        stores = [RedisStore(desk.KIT_REDIS_URL) for _ in range(5)]
        first = await stores[0].admit(key, rule)
        opened = await stores[1].report(key, rule, Verdict.FAILURE, generation=first.generation)
        await asyncio.sleep(0.06)
        admissions = [await store.admit(key, rule) for store in stores]
        closed = await stores[2].report(key, rule, Verdict.SUCCESS, generation=admissions[0].generation)
        seen = await stores[3].look_breaker(key)
        for store in stores:
            await store.close()
        return [admission.allowed for admission in admissions], [opened.phase, closed.phase, seen.phase]

    allowed, phases = asyncio.run(scene())
    assert allowed == [True, False, False, False, False]
    assert phases == [BreakerPhase.OPEN, BreakerPhase.CLOSED, BreakerPhase.CLOSED]


def test_a_reset_closes_the_breaker_and_forgets_the_slow_pace_but_not_the_slots_taken(key):
    rule, pace = BreakerRule(failures=1), Pace(interval_us=1_000_000)

    async def scene():
        store = RedisStore(desk.KIT_REDIS_URL)
        admission = await store.admit(key, rule)
        await store.report(key, rule, Verdict.FAILURE, generation=admission.generation)
        await store.reserve(key, pace, wait_s_max=0)
        await store.adapt(key, pace, Feedback.RATE_LIMIT)
        await store.adapt(key, pace, Feedback.RATE_LIMIT, retry_after_s=30)
        slow = await store.look_pace(key)
        await store.reset(key)
        state, fresh = await store.look_breaker(key), await store.look_pace(key)
        await store.close()
        return slow, state, fresh

    slow, state, fresh = asyncio.run(scene())
    assert slow.interval_us == 2_000_000
    assert (state.phase, state.generation) == (BreakerPhase.CLOSED, 2)
    assert (fresh.interval_us, fresh.paused_until_us) == (0, 0)
    assert fresh.arrival_us == slow.arrival_us


def test_a_server_that_is_not_there_is_said_plainly_and_the_spare_takes_over():
    async def scene() -> int:
        gone = RedisStore("redis://127.0.0.1:1/0")
        with pytest.raises(StoreUnavailable):
            await gone.admit("vendor", BreakerRule())
        store = FallbackStore(gone, MemoryStore())
        assert (await store.admit("vendor", BreakerRule())).allowed
        assert (await store.reserve("vendor", Pace(interval_us=1), wait_s_max=1)).granted
        await store.close()
        return store.fallbacks

    assert asyncio.run(scene()) == 2
