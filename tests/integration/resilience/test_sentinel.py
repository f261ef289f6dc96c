"""The kit's stores under Sentinels: when the master is killed, or handed over, they go on with the new one."""

from __future__ import annotations

import asyncio
import time

import pytest

from apps.resilience import Pace, RedisCache, RedisFigures, RedisStore
from apps.resilience.errors import StoreUnavailable
from apps.resilience.figures import Durations, Figures, Life, Parcel
from tests.integration.resilience.sentinel_world import sentinel_world, wait_until

FAILOVER_S_MAX = 30.0  # measured: 2 to 3 s with a silence of 1 s; a busy machine must break nothing
PACE = Pace.of(60_000)
PARCEL = Figures(operations={"ask": Durations(count=1, total_ns=10, low_ns=10, high_ns=10, buckets={1: 1})}, counters={"hits": 1})


@pytest.fixture
def world(tmp_path):
    with sentinel_world(tmp_path) as running:
        yield running


async def _insist(verb):
    """Ask until the store answers, as callers do behind a fall-back; return the answer and how often it was away."""
    ends = time.monotonic() + FAILOVER_S_MAX
    refusals = 0
    while time.monotonic() < ends:
        try:
            return await verb(), refusals
        except StoreUnavailable:
            refusals += 1
            await asyncio.sleep(0.05)
    raise TimeoutError("no master was found")


def test_a_limiter_goes_on_with_the_new_master(world):
    async def scene():
        store = RedisStore(world.url, prefix="test:")
        first = await store.reserve("vendor", PACE, wait_s_max=0)
        old = world.master()
        await asyncio.to_thread(_wait_until_copied, world, "test:{vendor}:pace")
        world.kill(old)
        second, refusals = await _insist(lambda: store.reserve("vendor", PACE, wait_s_max=60))
        await store.close()
        return first, second, refusals, old

    first, second, refusals, old = asyncio.run(scene())
    assert first.granted
    assert second.granted
    assert refusals >= 1
    assert world.master() != old
    with world.client(world.master()) as client:
        assert client.exists("test:{vendor}:pace") == 1


def test_a_cache_goes_on_with_the_new_master_and_finds_there_what_was_copied(world):
    async def scene():
        store = RedisCache(world.url, prefix="test:")
        await store.add_counts({"hits": 1})
        await asyncio.to_thread(_wait_until_any_key_is_copied, world)
        world.kill(world.master())
        _, refusals = await _insist(lambda: store.add_counts({"hits": 2}))
        counts, _ = await _insist(store.read_counts)
        await store.close()
        return counts["hits"], refusals

    hits, refusals = asyncio.run(scene())
    assert hits == 3
    assert refusals >= 1


def test_figures_go_on_with_the_new_master(world):
    figures = RedisFigures(world.url, prefix="test:")

    def add(number: int) -> bool:
        figures.add(Parcel(process="p", number=number, day="2026-01-01", life=Life(started_s=1, seen_s=2), figures=PARCEL))
        return True

    def is_added(number: int) -> bool:
        try:
            return add(number)
        except StoreUnavailable:
            return False

    add(1)
    _wait_until_any_key_is_copied(world)
    world.kill(world.master())
    assert not is_added(2)
    wait_until(lambda: is_added(3), "a parcel is taken", seconds=FAILOVER_S_MAX)
    assert figures.read("2026-01-01").figures.counters == {"hits": 2}
    figures.close()


def test_after_a_handing_over_nothing_is_written_to_the_old_master(world):
    async def scene():
        store = RedisStore(world.url, prefix="test:")
        await store.reserve("vendor", PACE, wait_s_max=0)
        old = world.master()
        await asyncio.to_thread(world.fail_over)
        await asyncio.to_thread(wait_until, lambda: world.master() != old, "another master", seconds=FAILOVER_S_MAX)
        await asyncio.to_thread(wait_until, lambda: _role(world, old) == "slave", "the old master obeys", seconds=FAILOVER_S_MAX)
        reservation, _ = await _insist(lambda: store.reserve("another", PACE, wait_s_max=0))
        await store.close()
        return reservation, old

    reservation, old = asyncio.run(scene())
    assert reservation.granted
    with world.client(world.master()) as client:
        assert client.exists("test:{another}:pace") == 1
    with world.client(old) as client:
        assert client.info("replication")["role"] == "slave"


def test_a_dead_sentinel_is_passed_over(world):
    world.kill(world.sentinels[0])

    async def scene():
        store = RedisStore(world.url, prefix="test:")
        reservation = await store.reserve("vendor", PACE, wait_s_max=0)
        await store.close()
        return reservation

    assert asyncio.run(scene()).granted


def test_without_any_sentinel_the_store_is_away_and_says_so(world):
    for port in world.sentinels:
        world.kill(port)

    async def scene():
        store = RedisStore(world.url, prefix="test:")
        try:
            await store.reserve("vendor", PACE, wait_s_max=0)
        finally:
            await store.close()

    with pytest.raises(StoreUnavailable, match="No master found for 'bellwether'"):
        asyncio.run(scene())


def _role(world, port):
    with world.client(port) as client:
        return client.info("replication")["role"]


def _wait_until_copied(world, key):
    with world.client(_replica(world)) as client:
        wait_until(lambda: client.exists(key) == 1, "the replica has the key")


def _wait_until_any_key_is_copied(world):
    with world.client(_replica(world)) as client:
        wait_until(lambda: client.dbsize() > 0, "the replica has a key")


def _replica(world):
    return next(port for port in world.servers if port != world.master())
