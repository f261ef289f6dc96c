"""The stores of the cache and the leases, in memory and in Redis: they behave the same."""

from __future__ import annotations

import asyncio
import uuid

import pytest
import redis
from django.conf import settings as desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.resilience import Held, Lease, Loaded, MemoryCache, RedisCache, StaleCache
from apps.resilience.cache_ports import Entry, EntryDamaged, Failure, Kept
from apps.resilience.clock import SystemClock
from apps.resilience.stores.memory_cache import matcher_of

DAY_S = 86_400.0
BATCH = 500


@pytest.fixture
def prefix():
    """A prefix with all signs that a pattern could mistake, deleted afterwards."""
    own = f"te*s?t[a]\\-{uuid.uuid4().hex}:"
    yield own
    with redis.Redis.from_url(desk.KIT_REDIS_URL) as client:
        for name in client.scan_iter(count=1_000):
            if own.encode() in name:
                client.delete(name)


@pytest.fixture(params=["memory", "redis"])
def play(request, prefix):
    """Run a scene with a store of each kind, closed afterwards."""

    def run(scene):
        async def with_store():
            store = MemoryCache() if request.param == "memory" else RedisCache(desk.KIT_REDIS_URL, prefix=prefix)
            try:
                return await scene(store)
            finally:
                await store.close()

        return asyncio.run(with_store())

    return run


def entry_of(value=b"value", fence=0, kept_s=60.0):
    return Entry(value=value, meta={"etag": "é"}, stored_at_s=SystemClock().now_s(), kept_s=kept_s, cost_s=0.25, fence=fence)


def failure_of(fence=0, kept_s=60.0):
    return Failure(code="timed-out", message="late", transient=True, failed_at_s=1.0, kept_s=kept_s, fence=fence)


@pytest.mark.parametrize("value", [b"", b"short", b"\x00\xff" * 3, b"long enough to pack " * 10_000])
def test_a_value_comes_back_as_it_was_written(play, value):
    async def scene(store):
        entry = entry_of(value)
        before = await store.read("key")
        assert await store.write("key", entry)
        return before, entry, (await store.read("key")).entry

    before, entry, kept = play(scene)
    assert before == Kept()
    assert (kept.value, kept.meta, kept.stored_at_s, kept.kept_s, kept.cost_s) == (
        value,
        {"etag": "é"},
        entry.stored_at_s,
        60.0,
        0.25,
    )
    assert kept.fence > 1_600_000_000_000_000


def test_a_failure_stands_beside_the_value_until_the_next_value(play):
    async def scene(store):
        await store.write("key", entry_of())
        await store.write_failure("key", failure_of())
        both = await store.read("key")
        await store.write("key", entry_of(b"new"))
        return both, await store.read("key")

    both, after = play(scene)
    assert (both.entry.value, both.failure.reason) == (b"value", "timed-out: late")
    assert both.failure.fence >= both.entry.fence or both.fence > 0
    assert (after.entry.value, after.failure) == (b"new", None)


def test_values_and_lonely_failures_end_by_themselves_and_a_failure_does_not_end_its_value(play):
    async def scene(store):
        await store.write("value", entry_of(kept_s=0.1))
        await store.write_failure("failure", failure_of(kept_s=0.1))
        await store.write("both", entry_of(kept_s=60))
        await store.write_failure("both", failure_of(kept_s=0.1))
        alive = [await store.read(key) != Kept() for key in ("value", "failure", "both")]
        await asyncio.sleep(0.15)
        return alive, [await store.read(key) != Kept() for key in ("value", "failure", "both")]

    assert play(scene) == ([True] * 3, [False, False, True])


def test_a_late_write_of_a_replaced_leader_is_refused_and_changes_nothing(play):
    async def scene(store):
        dead = await store.leases.acquire("key", owner="dead", lease_s=0.02)
        await asyncio.sleep(0.03)
        live = await store.leases.acquire("key", owner="live", lease_s=5)
        early = await store.write("key", entry_of(b"late", fence=dead.fence))
        before = await store.read("key")
        written = await store.write("key", entry_of(b"good", fence=live.fence))
        late = [
            await store.write("key", entry_of(b"late", fence=dead.fence)),
            await store.write_failure("key", failure_of(dead.fence)),
        ]
        return early, before, written, late, await store.read("key")

    early, before, written, late, kept = play(scene)
    assert (early, before, written, late) == (False, Kept(), True, [False, False])
    assert (kept.entry.value, kept.failure) == (b"good", None)


def test_a_write_outside_of_any_lease_wins_over_a_load_under_way(play):
    async def scene(store):
        lease = await store.leases.acquire("key", owner="loading", lease_s=5)
        put = await store.write("key", entry_of(b"put"))
        return put, await store.write("key", entry_of(b"loaded", fence=lease.fence)), (await store.read("key")).entry.value

    assert play(scene) == (True, False, b"put")


def test_a_lease_has_one_owner_and_passes_on_when_it_ends(play):
    async def scene(store):
        leases = store.leases
        first = await leases.acquire("key", owner="first", lease_s=0.1)
        second = await leases.acquire("key", owner="second", lease_s=0.1)
        again = await leases.acquire("key", owner="first", lease_s=0.1)
        other = await leases.acquire("other", owner="second", lease_s=0.1)
        await asyncio.sleep(0.12)
        third = await leases.acquire("key", owner="third", lease_s=5)
        return (
            first,
            second,
            again,
            other,
            third,
            await leases.renew(first),
            await leases.release(first),
            await leases.renew(third),
        )

    first, second, again, other, third, *told = play(scene)
    assert [type(answer) for answer in (first, second, again, other, third)] == [Lease, Held, Held, Lease, Lease]
    assert second.fence == again.fence == first.fence < third.fence
    assert 0 < second.left_s <= 0.1
    assert told == [False, False, True]


def test_a_lease_that_is_renewed_goes_on_and_one_that_was_given_back_does_not(play):
    async def scene(store):
        leases = store.leases
        lease = await leases.acquire("key", owner="first", lease_s=0.1)
        answers = []
        for _ in range(4):
            await asyncio.sleep(0.05)
            answers.append(await leases.renew(lease))
            answers.append(isinstance(await leases.acquire("key", owner="thief", lease_s=1), Held))
        answers += [await leases.release(lease), await leases.release(lease), await leases.renew(lease)]
        return answers, isinstance(await leases.acquire("key", owner="next", lease_s=1), Lease)

    assert play(scene) == ([True] * 8 + [True, False, False], True)


async def history(store, key, steps):
    """Play the steps and return what each said; numbers of leases are times, so they are compared by their order alone."""
    leases: dict[str, Lease] = {}
    said: list[object] = []
    for number, (verb, who) in enumerate(steps):
        lease = leases.get(who)
        if verb == "acquire":
            answer = await store.leases.acquire(key, owner=who, lease_s=60)
            if isinstance(answer, Lease):
                leases[who] = answer
            said.append(type(answer).__name__)
        elif verb == "put":
            said.append(await store.write(key, entry_of(b"put %d" % number)))
        elif verb == "forget":
            said.append(await store.forget(key))
        elif lease is not None and verb == "write":
            said.append(await store.write(key, entry_of(b"%d" % number, fence=lease.fence)))
        elif lease is not None and verb == "fail":
            said.append(await store.write_failure(key, failure_of(fence=lease.fence)))
        elif lease is not None:
            said.append(await getattr(store.leases, verb)(lease))
        kept = await store.read(key)
        said.append((kept.entry.value if kept.entry else None, kept.failure is not None))
    return said


verbs = st.sampled_from(["acquire", "renew", "release", "write", "fail", "put", "forget"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(verbs, st.sampled_from(["alice", "bob"])), max_size=30))
def test_both_stores_say_the_same_in_every_history(prefix, steps):
    async def scene():
        shared, memory, key = RedisCache(desk.KIT_REDIS_URL, prefix=prefix), MemoryCache(), uuid.uuid4().hex
        both = [await history(store, key, steps) for store in (shared, memory)]
        await shared.close()
        return both

    in_redis, in_memory = asyncio.run(scene())
    assert in_redis == in_memory


def test_fences_of_a_key_only_grow(play):
    async def scene(store):
        fences = []
        for _ in range(50):
            lease = await store.leases.acquire("key", owner="one", lease_s=1)
            fences.append(lease.fence)
            await store.leases.release(lease)
        return fences

    fences = play(scene)
    assert fences == sorted(set(fences))


@pytest.mark.parametrize("pattern", ["price:*", "*:b?c", "odd:[a]*", "odd:back\\slash", "*", "nothing", "price:btc"])
def test_a_pattern_clears_what_it_matches_and_nothing_else(play, pattern):
    keys = ["price:btc", "price:eth", "screen:btc", "odd:[a]x", "odd:a", "odd:back\\slash", "price:é", "x:b*c"]

    async def scene(store):
        for key in keys:
            await store.write(key, entry_of())
        count = await store.clear(pattern)
        return count, {key for key in keys if await store.read(key) != Kept()}

    gone = {key for key in keys if matcher_of(pattern).fullmatch(key.encode())}
    assert play(scene) == (len(gone), set(keys) - gone)


def test_counts_add_up(play):
    async def scene(store):
        await store.add_counts({"price:hits": 2, "price:misses": 1})
        await store.add_counts({"price:hits": 3})
        await store.add_counts({})
        return await store.read_counts()

    assert play(scene) == {"price:hits": 5, "price:misses": 1}


def test_ten_thousand_keys_are_cleared_in_batches_without_keys_and_others_are_left_alone(prefix):
    async def scene(client):
        store = RedisCache(desk.KIT_REDIS_URL, prefix=prefix)
        names = [store.name_of(f"price:{number}") for number in range(10_000)] + [
            store.name_of(f"screen:{number}") for number in range(100)
        ]
        for start in range(0, len(names), BATCH):
            pipe = client.pipeline(transaction=False)
            for name in names[start : start + BATCH]:
                pipe.hset(name, "head", "{}")
            pipe.execute()
        client.set(f"{prefix}limiter", "untouched")
        before = client.info("commandstats")
        longest_s, task = 0.0, asyncio.ensure_future(store.clear("price:*"))
        while not task.done():  # the event loop turns all the while
            began_s = asyncio.get_running_loop().time()
            await asyncio.sleep(0.001)
            longest_s = max(longest_s, asyncio.get_running_loop().time() - began_s)
        await store.close()
        return (
            task.result(),
            before,
            client.info("commandstats"),
            client.exists(*names),
            client.get(f"{prefix}limiter"),
            longest_s,
        )

    def calls(stats, command):
        return stats.get(f"cmdstat_{command}", {}).get("calls", 0)

    with redis.Redis.from_url(desk.KIT_REDIS_URL) as client:
        count, before, after, left, limiter, longest_s = asyncio.run(scene(client))
    assert (count, left, limiter) == (10_000, 100, b"untouched")
    assert calls(after, "keys") == calls(before, "keys")
    assert calls(after, "scan") - calls(before, "scan") >= 10
    assert calls(after, "unlink") - calls(before, "unlink") >= 10
    assert longest_s < 0.5


@pytest.mark.parametrize("foreign", ["string", "list", "hash", "bytes", "fence", "failure"])
def test_a_foreign_value_is_a_miss_that_is_counted_and_then_written_over(prefix, foreign):
    async def scene(client):
        store = RedisCache(desk.KIT_REDIS_URL, prefix=prefix)
        name = store.name_of("price:btc")
        plant(client, name, foreign)
        with pytest.raises(EntryDamaged):
            await store.read("price:btc")
        cache, calls = StaleCache(store=store), 0

        async def load(previous):
            nonlocal calls
            calls += 1
            assert previous is None
            return Loaded(b"good")

        served = [(await cache.fetch("price:btc", load)).value for _ in range(2)]
        counts = cache.statistics()["price"]
        await cache.close()
        return served, calls, counts

    with redis.Redis.from_url(desk.KIT_REDIS_URL) as client:
        served, calls, counts = asyncio.run(scene(client))
    assert (served, calls) == ([b"good", b"good"], 1)
    assert counts.damaged >= 1
    assert (counts.hits, counts.misses, counts.refused_writes) == (1, 1, 0)


def plant(client, name, foreign):
    if foreign == "string":
        client.set(name, "somebody else's")
    elif foreign == "list":
        client.rpush(name, "somebody else's")
    elif foreign == "hash":
        client.hset(name, mapping={"head": "{}", "body": "x"})
    elif foreign == "bytes":
        client.hset(name, mapping={"head": b"\xff\xfe\x00", "body": b"\x80"})
    elif foreign == "fence":
        client.hset(name, mapping={"head": "{}", "body": "x", "fence": "many"})
    else:
        client.hset(name, mapping={"failure": "[1, 2"})
