"""One key, many callers, several processes: one load, whose value or error all of them get."""

from __future__ import annotations

import asyncio
import os
import zlib

import pytest
from django.conf import settings as desk

from apps.resilience import CacheFallback, CacheRule, Loaded, MemoryCache, RedisCache, StaleCache
from apps.resilience.cache_ports import Entry
from apps.resilience.clock import SystemClock
from apps.resilience.stores.cache_entries import decode, encode
from tests.integration.resilience.cache_processes import Caller, loads_in


@pytest.fixture
def callers(prefix, tmp_path):
    """Start four processes of fifty callers each; at the end none is left."""
    started: list[Caller] = []

    def start(**how):
        started.extend(Caller(desk.KIT_REDIS_URL, prefix, tmp_path / "loads", **how) for _ in range(4))
        for caller in started:
            caller.stand_ready()
        for caller in started:
            caller.go()
        return [caller.result() for caller in started], loads_in(tmp_path / "loads")

    yield start
    for caller in started:
        caller.kill()


def test_four_processes_of_fifty_callers_cause_one_load(callers):
    results, loads = callers()
    assert len(loads) == 1
    assert [result["outcomes"] for result in results] == [[f"by {loads[0]}"]] * 4
    assert [result["answered"] for result in results] == [50] * 4
    assert sum(result["counts"]["refreshes"] for result in results) == 1
    assert [result["fallbacks"] for result in results] == [0] * 4


def test_a_load_that_fails_fails_once_for_all_who_waited(callers):
    results, loads = callers(mode="error", load_s=2.0)
    assert len(loads) == 1
    assert [result["outcomes"] for result in results] == [["TimedOut('no answer')"]] * 4
    assert sum(result["counts"]["errors"] for result in results) == 1


def test_callers_who_all_force_a_load_share_the_one_under_way(callers):
    results, loads = callers(mode="force", load_s=2.0)
    assert len(loads) == 1
    assert [result["outcomes"] for result in results] == [[f"by {loads[0]}"]] * 4


def test_a_hot_key_has_one_load_at_a_time_and_nobody_waits_after_the_first(prefix):
    rule = CacheRule(fresh_s=0.3, revalidate_s=600)

    async def scene():
        at_work, most, loads = 0, 0, 0

        async def load(_previous):
            nonlocal at_work, most, loads
            at_work, loads = at_work + 1, loads + 1
            most = max(most, at_work)
            await asyncio.sleep(0.1)
            at_work -= 1
            return Loaded(str(loads).encode())

        stores = [CacheFallback(RedisCache(desk.KIT_REDIS_URL, prefix=prefix, timeout_s=10.0), MemoryCache()) for _ in range(2)]
        caches = [StaleCache(store=store, default_rule=rule) for store in stores]  # as two processes would have
        await caches[0].fetch("hot:key", load)
        served = []
        for number in range(250):  # about a hundred a second, for eight lifetimes
            served.append(await caches[number % 2].fetch("hot:key", load))
            await asyncio.sleep(0.01)
        counts = [cache.statistics()["hot"] for cache in caches]
        for cache in caches:
            await cache.close()
        return most, loads, [int(one.value) for one in served], counts

    most, loads, values, counts = asyncio.run(scene())
    assert most == 1
    assert loads >= 5
    assert values == sorted(values)
    assert [count.misses for count in counts] == [1, 0]
    assert sum(count.hits for count in counts) == 250
    assert [count.errors + count.refused_writes for count in counts] == [0, 0]


def test_the_event_loop_turns_while_large_values_are_packed_and_unpacked(prefix):
    value = b"".join(zlib.crc32(str(number).encode()).to_bytes(4, "big") + b"price" * 3 for number in range(1_500_000))
    clock = SystemClock()

    async def longest_stop_s(work):
        longest_s, task = 0.0, asyncio.ensure_future(work)
        while not task.done():
            began_s = clock.monotonic_s()
            await asyncio.sleep(0.001)
            longest_s = max(longest_s, clock.monotonic_s() - began_s)
        return longest_s, task.result()

    async def scene():
        cache = StaleCache(store=RedisCache(desk.KIT_REDIS_URL, prefix=prefix, timeout_s=20.0))
        writing_s, reading_s = [], []
        for _ in range(3):  # the best of three: another program may stop us now and then
            writing_s.append((await longest_stop_s(cache.put("large:one", Loaded(value))))[0])
            stop_s, kept = await longest_stop_s(cache.peek("large:one"))
            reading_s.append(stop_s)
        await cache.close()
        return min(writing_s), min(reading_s), kept.value == value

    writing_s, reading_s, is_same = asyncio.run(scene())
    began_s = clock.monotonic_s()
    head, body = encode(Entry(value=value, meta={}, stored_at_s=0.0, kept_s=1.0))
    packing_s = clock.monotonic_s() - began_s
    decode(head, body, fence=1)
    unpacking_s = clock.monotonic_s() - began_s - packing_s
    assert is_same
    assert writing_s < packing_s / 2
    assert reading_s < unpacking_s * 0.8


def test_the_counts_of_all_processes_come_together(prefix, callers):
    results, _ = callers(load_s=0.1)

    async def scene():
        cache = StaleCache(store=RedisCache(desk.KIT_REDIS_URL, prefix=prefix))
        shared = await cache.shared_statistics()
        await cache.close()
        return shared["price"]

    shared = asyncio.run(scene())
    assert shared.hits + shared.misses == 200
    assert shared.refreshes == sum(result["counts"]["refreshes"] for result in results) == 1
    assert os.getpid() not in [result["outcomes"] for result in results]
