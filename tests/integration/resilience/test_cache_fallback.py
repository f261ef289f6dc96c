"""The shared cache goes away and comes back: this process serves from memory meanwhile, and nothing newer is lost."""

from __future__ import annotations

import asyncio
import signal

import pytest

from apps.resilience import (
    CacheFallback,
    CacheRule,
    Event,
    Loaded,
    MemoryCache,
    RedisCache,
    StaleCache,
    StoreFellBack,
    StoreUnavailable,
)
from apps.resilience.clock import SystemClock
from apps.resilience.stores.reach import HOLIDAY_S
from apps.resilience.testing import FakeClock
from tests.integration.resilience.own_valkey import OwnValkey

RULE = CacheRule(fresh_s=600)


@pytest.fixture(params=[True, False], ids=["keeps its data", "comes back empty"])
def server(request, tmp_path):
    own = OwnValkey(tmp_path / "valkey", durable=request.param)
    yield own
    own.kill()


class Desk:
    """A cache with a spare on the server, and a loader that counts."""

    def __init__(self, url):
        self.news: list[Event] = []
        self.store = CacheFallback(RedisCache(url), MemoryCache(), hooks=[self.news.append])
        self.cache = StaleCache(store=self.store, default_rule=RULE)
        self.loads = 0

    async def load(self, _previous):
        self.loads += 1
        return Loaded(f"load {self.loads}".encode())

    async def fetch(self, key, **how):
        return (await self.cache.fetch(key, self.load, **how)).value

    async def back(self):
        """Wait until the server is asked again."""
        for _ in range(200):
            await self.cache.peek("price:other")
            if not self.store.reach.is_away:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the shared store was not asked again")


async def value_at(url, key):
    """Return what a process that has no memory of its own finds."""
    store = RedisCache(url)
    entry = (await store.read(key)).entry
    await store.close()
    return None if entry is None else entry.value


def test_a_server_that_dies_and_returns_costs_no_value(server):
    async def scene():
        desk = Desk(server.url)
        before = [await desk.fetch(key) for key in ("price:a", "price:b")]
        await asyncio.to_thread(server.kill)
        during = [await desk.fetch("price:a"), await desk.fetch("price:b", force=True), await desk.fetch("price:c")]
        loads, fallbacks = desk.loads, desk.store.reach.fallbacks
        with pytest.raises(StoreUnavailable):
            await desk.cache.shared_statistics()  # what could not be handed in is handed in later
        await asyncio.to_thread(server.start)
        await desk.back()
        after = [await desk.fetch(key) for key in ("price:a", "price:b", "price:c")]
        others = [await value_at(server.url, key) for key in ("price:a", "price:b", "price:c")]
        pending = await desk.cache.shared_statistics()
        told = [event for event in desk.news if isinstance(event, StoreFellBack)]
        await desk.cache.close()
        return before, during, loads, fallbacks, after, others, desk, pending["price"], told

    before, during, loads, fallbacks, after, others, desk, shared, told = asyncio.run(scene())
    assert before == [b"load 1", b"load 2"]
    assert during == [b"load 1", b"load 3", b"load 4"]
    assert after == others == during
    assert (loads, desk.loads) == (4, 4)
    assert fallbacks > 0
    assert len(told) == desk.store.reach.fallbacks
    assert desk.store.reach.returns == 1
    assert (shared.hits, shared.misses, shared.refreshes) == (4, 4, 4)


def test_what_another_process_stored_later_is_not_overwritten_by_what_is_owed(server):
    async def scene():
        desk = Desk(server.url)
        await desk.fetch("price:a")
        await asyncio.to_thread(server.kill)
        await desk.fetch("price:a", force=True)
        await asyncio.to_thread(server.start)
        other = StaleCache(store=RedisCache(server.url), default_rule=RULE)
        await other.put("price:a", Loaded(b"newer"))
        await other.close()
        await desk.back()
        served = await desk.fetch("price:a")
        there = await value_at(server.url, "price:a")
        await desk.cache.close()
        return served, there

    assert asyncio.run(scene()) == (b"newer", b"newer")


def test_what_another_process_stored_and_this_one_read_is_there_in_the_outage_too(server):
    async def scene():
        desk, other = Desk(server.url), Desk(server.url)
        await other.fetch("price:a")
        read = await desk.fetch("price:a")
        await asyncio.to_thread(server.kill)
        served = await desk.fetch("price:a")
        await other.cache.close()
        await desk.cache.close()
        return read, served, desk.loads

    assert asyncio.run(scene()) == (b"load 1", b"load 1", 0)


def test_what_another_process_cleared_is_not_served_from_the_memory_of_this_one(server):
    async def scene():
        desk = Desk(server.url)
        await desk.fetch("price:a")
        other = StaleCache(store=RedisCache(server.url))
        count = await other.clear("price:*")
        await other.close()
        kept = await desk.cache.peek("price:a")
        await desk.cache.close()
        return count, kept

    assert asyncio.run(scene()) == (1, None)


def test_a_server_that_hangs_holds_up_nobody_for_long(server):
    async def scene():
        desk, clock = Desk(server.url), SystemClock()
        for number in range(100):
            await desk.fetch(f"price:{number}")
        server.process.send_signal(signal.SIGSTOP)
        began_s = clock.monotonic_s()
        first = await asyncio.gather(*(desk.fetch(f"price:{number}") for number in range(100)))
        waited_s = clock.monotonic_s() - began_s
        server.process.send_signal(signal.SIGCONT)
        await desk.back()
        await desk.cache.close()
        return desk.loads, first, waited_s

    loads, first, waited_s = asyncio.run(scene())
    assert loads == 100
    assert first == [f"load {number + 1}".encode() for number in range(100)]
    assert waited_s < 10


def test_after_a_holiday_one_caller_tries_and_the_others_do_not_wait_for_it():
    class Hanging(MemoryCache):
        asked, is_gone = 0, True

        async def read(self, key):
            self.asked += 1
            await asyncio.sleep(0.02)
            if self.is_gone:
                raise StoreUnavailable
            return await super().read(key)

    async def scene():
        clock = FakeClock()
        shared, spare = Hanging(clock=clock), MemoryCache(clock=clock)
        store = CacheFallback(shared, spare, clock=clock)
        asked = []
        for _ in range(2):
            await asyncio.gather(*(store.read("key") for _ in range(20)))
            asked.append(shared.asked)
        clock.advance(HOLIDAY_S)
        await asyncio.gather(*(store.read("key") for _ in range(20)))
        asked.append(shared.asked)
        clock.advance(HOLIDAY_S)
        shared.is_gone = False
        await store.read("key")
        await asyncio.gather(*(store.read("key") for _ in range(20)))
        return asked, shared.asked, store.reach.is_away

    asked, at_last, is_away = asyncio.run(scene())
    assert asked == [20, 20, 21]
    assert (at_last, is_away) == (42, False)


def test_without_a_spare_an_outage_is_said_plainly():
    async def scene():
        cache = StaleCache(store=RedisCache("redis://127.0.0.1:1/0"))
        with pytest.raises(StoreUnavailable):
            await cache.peek("price:a")
        await cache.close()

    asyncio.run(scene())
