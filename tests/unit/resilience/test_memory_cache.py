"""The cache in memory: bounded in bytes, the least recently used goes first; patterns mean what Redis means by them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.resilience import MemoryCache
from apps.resilience.cache_ports import Entry
from apps.resilience.stores.memory_cache import OVERHEAD_BYTES, matcher_of
from apps.resilience.testing import FakeClock

START_S = 1_700_000_000.0


def entry_of(size_bytes, kept_s=60.0):
    return Entry(value=b"v" * size_bytes, meta={}, stored_at_s=START_S, kept_s=kept_s)


def test_the_value_that_was_used_longest_ago_goes_first():
    async def scene():
        store = MemoryCache(clock=FakeClock(), size_bytes_max=3 * (OVERHEAD_BYTES + 1_001))
        for key in "abc":
            await store.write(key, entry_of(1_000))
        await store.read("a")
        await store.write("d", entry_of(1_000))
        return store.kept_keys(), store.evicted, store.size_bytes

    assert asyncio.run(scene()) == ({"a", "c", "d"}, 1, 3 * (OVERHEAD_BYTES + 1_001))


def test_a_value_that_is_larger_than_the_whole_cache_is_not_kept_and_drives_nobody_out():
    async def scene():
        store = MemoryCache(clock=FakeClock(), size_bytes_max=10_000)
        await store.write("small", entry_of(100))
        await store.write("large", entry_of(20_000))
        return store.kept_keys(), store.evicted

    assert asyncio.run(scene()) == ({"small"}, 1)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 4_000), st.booleans()), max_size=40))
def test_the_size_is_always_the_sum_and_never_above_the_bound(steps):
    async def scene():
        store = MemoryCache(clock=FakeClock(), size_bytes_max=10_000)
        for key, size_bytes, is_write in steps:
            await (store.write(key, entry_of(size_bytes)) if is_write else store.forget(key))
            sizes = [len(entry.value) for key in store.kept_keys() if (entry := store.look(key).entry)]
            assert store.size_bytes == sum(OVERHEAD_BYTES + 1 + size for size in sizes)
            assert store.size_bytes <= 10_000

    asyncio.run(scene())


def test_a_value_ends_with_its_time():
    async def scene():
        clock = FakeClock()
        store = MemoryCache(clock=clock)
        await store.write("key", entry_of(10, kept_s=5))
        clock.advance(4.999)
        alive = (await store.read("key")).entry is not None
        clock.advance(0.001)
        return alive, (await store.read("key")).entry, store.size_bytes

    assert asyncio.run(scene()) == (True, None, 0)


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("price:*", "price:btc", True),
        ("price:*", "prices:btc", False),
        ("*", "anything\nat all", True),
        ("price:b?c", "price:btc", True),
        ("price:b?c", "price:bc", False),
        ("a[bc]", "ab", False),
        ("a[bc]", "a[bc]", True),
        ("a.c", "abc", False),
        ("back\\slash", "back\\slash", True),
        ("??", "é", True),
    ],
)
def test_a_pattern_knows_two_signs_only(pattern, key, matches):
    assert (matcher_of(pattern).fullmatch(key.encode()) is not None) is matches
