"""The verbs for many keys say what the verbs for one say, one by one, and need fewer round trips."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable

import pytest
import redis
from django.conf import settings as desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.resilience import CacheFallback, Held, Lease, MemoryCache, RedisCache
from apps.resilience.cache_ports import CacheStore, Claim, Entry, EntryDamaged, Failure, Kept
from apps.resilience.clock import SystemClock

KEYS = ("price:a", "price:b", "price:c", "price:d")
MAKERS: dict[str, Callable[[str], CacheStore]] = {
    "memory": lambda prefix: MemoryCache(),
    "redis": lambda prefix: RedisCache(desk.KIT_REDIS_URL, prefix=prefix),
    "fallback": lambda prefix: CacheFallback(RedisCache(desk.KIT_REDIS_URL, prefix=prefix), MemoryCache()),
}


def entry_of(value, fence=0):
    return Entry(value=value, meta={"etag": "é"}, stored_at_s=SystemClock().now_s(), kept_s=60.0, fence=fence)


def failure_of(fence=0):
    return Failure(code="timed-out", message="late", transient=True, failed_at_s=1.0, kept_s=60.0, fence=fence)


def fence_in(answer):
    """Return the number of the lease that was granted."""
    assert isinstance(answer, Claim)
    return answer.lease.fence


def plain(found):
    """Return what a look told, without numbers that are times."""
    if isinstance(found, EntryDamaged):
        return "damaged"
    return found.entry.value if found.entry else None, found.failure.message if found.failure else None


class OneByOne:
    """The verbs for many, made of those for one."""

    def __init__(self, store):
        self.store = store

    async def read_many(self, keys):
        return [await self.store.read(key) for key in keys]

    async def claim_many(self, known, *, owner, lease_s):
        told = []
        for key, fence in known:
            answer = await self.store.leases.acquire(key, owner=owner, lease_s=lease_s)
            if isinstance(answer, Lease):
                kept = await self.store.read(key)
                answer = Claim(answer, None if kept.fence == fence else kept)
            told.append(answer)
        return told

    async def write_many(self, records, *, give_back=False):
        told = []
        for key, record in records:
            told.append(await (self.store.write if isinstance(record, Entry) else self.store.write_failure)(key, record))
            if give_back:
                await self.store.leases.release(Lease(key=key, owner="", fence=record.fence, lease_s=1.0))
        return told

    async def renew_many(self, leases):
        return [await self.store.leases.renew(lease) for lease in leases]

    async def release_many(self, leases):
        return [await self.store.leases.release(lease) for lease in leases]


class Together:
    """The verbs for many of the store."""

    def __init__(self, store):
        self.read_many, self.claim_many, self.write_many = store.read_many, store.claim_many, store.write_many
        self.renew_many, self.release_many = store.leases.renew_many, store.leases.release_many


async def history(desk_, steps):
    """Play the steps and return what each said."""
    leases: dict[tuple[str, str], Lease] = {}
    said: list[object] = []
    for number, (verb, who, keys) in enumerate(steps):
        mine = [leases[who, key] for key in keys if (who, key) in leases]
        if verb == "claim":
            known = [(key, kept.fence if number % 2 else 0) for key, kept in zip(keys, await desk_.read_many(keys), strict=True)]
            for key, answer in zip(keys, await desk_.claim_many(known, owner=who, lease_s=60), strict=True):
                if isinstance(answer, Claim):
                    leases[who, key] = answer.lease
                    said.append(plain(answer.found) if answer.found else "known")
                else:
                    said.append(type(answer).__name__)
        elif verb in ("write", "done"):
            records = [(lease.key, entry_of(b"%d" % number, lease.fence)) for lease in mine]
            said.append(await desk_.write_many(records, give_back=verb == "done"))
        elif verb == "fail":
            said.append(await desk_.write_many([(lease.key, failure_of(lease.fence)) for lease in mine], give_back=True))
        elif verb == "put":
            said.append(await desk_.write_many([(key, entry_of(b"put %d" % number)) for key in keys]))
        else:
            said.append(await getattr(desk_, verb)(mine))
        said.append([plain(found) for found in await desk_.read_many(KEYS)])
    return said


verbs = st.sampled_from(["claim", "write", "done", "fail", "put", "renew_many", "release_many"])
some_keys = st.lists(st.sampled_from(KEYS), unique=True, max_size=4)


@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(verbs, st.sampled_from(["alice", "bob"]), some_keys), max_size=20))
def test_in_every_history_many_at_once_are_answered_as_one_by_one(prefix, kind, steps):
    async def scene():
        own = f"{prefix}{uuid.uuid4().hex}:"
        one, many = MAKERS[kind](f"{own}one:"), MAKERS[kind](f"{own}many:")
        both = await history(OneByOne(one), steps), await history(Together(many), steps)
        await one.close()
        await many.close()
        return both

    one_by_one, together = asyncio.run(scene())
    assert together == one_by_one


class Counted(RedisCache):
    """A store that counts its round trips."""

    def __init__(self, prefix):
        super().__init__(desk.KIT_REDIS_URL, prefix=prefix, timeout_s=10.0)
        self.trips = 0
        answer = self._link.answer

        async def counting(command):
            self.trips += 1
            return await answer(command)

        self._link.answer = counting  # type: ignore[method-assign]

    def taken(self):
        """Return the round trips since it was asked last."""
        trips, self.trips = self.trips, 0
        return trips


def test_six_hundred_keys_take_three_trips_a_verb_and_come_back_whole(prefix):
    keys = [f"price:{number}" for number in range(600)]

    async def scene():
        store = Counted(prefix)
        cold, trips = await store.read_many(keys), [store.taken()]
        claims = await store.claim_many([(key, 0) for key in keys], owner="me", lease_s=60)
        trips.append(store.taken())
        records = [(key, entry_of(key.encode(), fence_in(claim))) for key, claim in zip(keys, claims, strict=True)]
        told = await store.write_many(records, give_back=True)
        trips.append(store.taken())
        warm = await store.read_many(keys)
        trips.append(store.taken())
        again = await store.claim_many([(key, 0) for key in keys], owner="other", lease_s=60)
        await store.close()
        return cold, told, warm, again, trips

    cold, told, warm, again, trips = asyncio.run(scene())
    assert cold == [Kept()] * 600
    assert told == [True] * 600
    assert [found.entry.value for found in warm] == [key.encode() for key in keys]
    assert [claim.found.entry.value for claim in again] == [key.encode() for key in keys]  # the leases were given back
    assert trips == [3, 3, 3, 3]


def test_large_values_are_written_a_few_at_a_time_and_come_back_whole(prefix):
    values = [random.Random(seed).randbytes(2_097_152) for seed in range(5)]

    async def scene():
        store = Counted(prefix)
        told = await store.write_many([(f"large:{number}", entry_of(value)) for number, value in enumerate(values)])
        trips = store.taken()
        found = await store.read_many([f"large:{number}" for number in range(5)])
        await store.close()
        return told, trips, [plain(one)[0] == value for one, value in zip(found, values, strict=True)]

    assert asyncio.run(scene()) == ([True] * 5, 3, [True] * 5)


@pytest.mark.parametrize("kind", ["redis", "fallback"])
def test_a_damaged_key_is_told_of_in_its_place_and_costs_the_others_nothing(prefix, kind):
    async def scene(client):
        store = MAKERS[kind](prefix)
        await store.write_many([("price:good", entry_of(b"good"))])
        name = RedisCache(desk.KIT_REDIS_URL, prefix=prefix).name_of
        client.set(name("price:text"), "somebody else's")
        client.hset(name("price:hash"), mapping={"head": "{}", "body": "x", "fence": "7"})
        keys = ["price:text", "price:good", "price:hash", "price:none"]
        found = await store.read_many(keys)
        claims = await store.claim_many([(key, 0) for key in keys], owner=kind, lease_s=60)
        records = [(key, entry_of(b"new", fence_in(claim))) for key, claim in zip(keys, claims, strict=True)]
        told = await store.write_many(records, give_back=True)
        after = await store.read_many(keys)
        await store.close()
        return found, claims, told, after

    with redis.Redis.from_url(desk.KIT_REDIS_URL) as client:
        found, claims, told, after = asyncio.run(scene(client))
    assert [plain(one) for one in found] == ["damaged", (b"good", None), "damaged", (None, None)]
    looked = [plain(claim.found) if claim.found else "known" for claim in claims]
    assert looked == ["damaged", (b"good", None), "damaged", "known"]
    assert told == [True] * 4
    assert [plain(one) for one in after] == [(b"new", None)] * 4


@pytest.mark.parametrize("kind", MAKERS)
def test_late_writes_of_a_replaced_leader_are_refused_each_by_itself_and_end_no_lease_of_another(prefix, kind):
    async def scene():
        store = MAKERS[kind](prefix)
        dead = await store.claim_many([("price:a", 0), ("price:b", 0)], owner="dead", lease_s=0.05)
        await asyncio.sleep(0.06)
        (live,) = await store.claim_many([("price:b", 0)], owner="live", lease_s=60)
        late = [(key, entry_of(b"late", fence_in(claim))) for key, claim in zip(["price:a", "price:b"], dead, strict=True)]
        told = await store.write_many(late, give_back=True)
        held = await store.claim_many([("price:b", 0)], owner="thief", lease_s=60)
        good = await store.write_many([("price:b", entry_of(b"good", fence_in(live)))], give_back=True)
        kept = [plain(found) for found in await store.read_many(["price:a", "price:b"])]
        await store.close()
        return told, held, good, kept

    told, held, good, kept = asyncio.run(scene())
    assert (told, good) == ([True, False], [True])
    assert [type(answer) for answer in held] == [Held]
    assert kept == [(b"late", None), (b"good", None)]
