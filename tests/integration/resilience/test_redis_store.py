"""The shared store: its Lua is the twin of the pure functions, and its quota holds between threads."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings as desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.resilience import (
    BreakerPhase,
    BreakerRule,
    BreakerState,
    FallbackStore,
    Feedback,
    MemoryStore,
    Pace,
    RedisStore,
    StoreUnavailable,
    Verdict,
    breaker,
    limiter,
)
from apps.resilience.limiter import MICROSECONDS, PaceState
from apps.resilience.stores import scripts

START_US = 1_700_000_000 * MICROSECONDS
RULE = BreakerRule(failures=3, open_s=10, probes=2, probe_lease_s=5)
PACE = Pace(interval_us=700_001, burst=3)
TTL_MS = 60_000


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(desk.KIT_REDIS_URL, decode_responses=True) as client:
        yield client


@pytest.fixture
def key() -> str:
    return f"test-{uuid.uuid4().hex}"


def timed(script: str) -> str:
    """Return the script with its clock replaced by its last argument, so that histories can be replayed."""
    head, _, body = script.partition("local function number")
    assert "TIME" in head
    return "local now = tonumber(ARGV[#ARGV])\nlocal function number" + body


RESERVE, ADAPT, ADMIT, REPORT = (timed(s) for s in (scripts.RESERVE, scripts.ADAPT, scripts.ADMIT, scripts.REPORT))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 3 * MICROSECONDS),
            st.one_of(st.none(), st.tuples(st.sampled_from(list(Feedback)), st.one_of(st.none(), st.integers(0, 4)))),
            st.integers(0, 5 * MICROSECONDS),
        ),
        max_size=40,
    )
)
def test_the_limiters_lua_gives_what_the_pure_function_gives(server, steps):
    key, state, now_us = f"test-{uuid.uuid4().hex}", PaceState(), START_US
    for pause_us, told, wait_us_max in steps:
        now_us += pause_us
        if told is None:
            state, expected = limiter.reserve(state, PACE, now_us=now_us, wait_us_max=wait_us_max)
            got = server.eval(RESERVE, 1, key, PACE.interval_us, PACE.tolerance_us, wait_us_max, TTL_MS, now_us)
            wait_us, interval_us = round(expected.wait_s * MICROSECONDS), round(expected.interval_s * MICROSECONDS)
            assert got == [int(expected.granted), wait_us, interval_us]
            continue
        feedback, retry_after_s = told
        state = limiter.adapt(state, PACE, feedback, now_us=now_us, retry_after_s=retry_after_s)
        pause = -1 if retry_after_s is None else retry_after_s * MICROSECONDS
        factors = (limiter.SUCCESSES_PER_STEP, limiter.FASTER, limiter.SLOWER_ON_LIMIT, limiter.SLOWER_ON_ERROR)
        slowest_us = PACE.interval_us * limiter.SLOWEST_FACTOR
        server.eval(ADAPT, 1, key, PACE.interval_us, feedback.value, pause, TTL_MS, *factors, slowest_us, now_us)
    server.delete(key)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([0, 1, 4, 5, 9, 10, 11]), st.one_of(st.none(), st.sampled_from(list(Verdict))), st.booleans()),
        max_size=60,
    )
)
def test_the_breakers_lua_gives_what_the_pure_function_gives(server, steps):
    key, state, now_us = f"test-{uuid.uuid4().hex}", BreakerState(), START_US
    for pause_s, verdict, is_old_news in steps:
        now_us += pause_s * MICROSECONDS
        if verdict is None:
            state, expected = breaker.admit(state, RULE, now_us=now_us)
            got = server.eval(ADMIT, 1, key, RULE.probes, RULE.probe_lease_us, TTL_MS, now_us)
            wait_us = round(expected.retry_after_s * MICROSECONDS)
            assert got == [int(expected.allowed), expected.phase.value, expected.generation, wait_us]
            continue
        generation = state.generation - is_old_news
        state = breaker.report(state, RULE, verdict, generation=generation, now_us=now_us)
        got = server.eval(REPORT, 1, key, generation, verdict.value, RULE.failures, RULE.open_us, TTL_MS, now_us)
        assert got == [state.phase.value, state.failures, state.generation, state.until_us, state.probes]
    server.delete(key)


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
