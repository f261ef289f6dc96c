"""A batch with a cache rule: what its calls share, what they leave to others, and that nothing of it is left behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from apps.resilience import (
    NO_RETRY,
    BulkheadRule,
    CacheRule,
    Client,
    HttpStatus,
    KitError,
    MemoryCache,
    MemoryStore,
    Pace,
    Policy,
    Request,
    Response,
    StaleCache,
    StoreUnavailable,
    TimedOut,
)
from apps.resilience.exchange import Answer
from apps.resilience.testing import FakeClock, ScriptedUpstream

HOST = "https://vendor.example"
RULE = CacheRule(fresh_s=60, early_beta=0)


class CountingCache(MemoryCache):
    """A cache's store that counts how often it is asked."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.asked: Counter[str] = Counter()

    async def read_many(self, *words: Any, **more: Any) -> Any:
        self.asked["read_many"] += 1
        return await super().read_many(*words, **more)

    async def claim_many(self, *words: Any, **more: Any) -> Any:
        self.asked["claim_many"] += 1
        return await super().claim_many(*words, **more)

    async def write_many(self, *words: Any, **more: Any) -> Any:
        self.asked["write_many"] += 1
        return await super().write_many(*words, **more)


class Upstream:
    """An other side that answers /N with N when its bell rings; it knows what was asked and how many were inside."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.inside = self.most = self.broken_off = 0
        self.bell = asyncio.Event()
        self.answers: Callable[[int], Answer] = lambda number: Answer(
            status=200, headers={}, body=b"%d" % number, received_at_s=0.0
        )

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        number = int(request.url.rpartition("/")[2])
        self.asked.append(number)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.bell.wait()
        except asyncio.CancelledError:
            self.broken_off += 1
            raise
        finally:
            self.inside -= 1
        return self.answers(number)

    async def close(self) -> None:
        self.bell.set()


class Desk:
    """A client with a cache; `others` are clients of other processes that share its store."""

    def __init__(self, store: MemoryCache | None = None, **policy: Any) -> None:
        self.upstream = Upstream()
        self.store = store or MemoryCache()
        self.cache = StaleCache(store=self.store)
        self.client = Client(store=MemoryStore(), cache=self.cache, transport=self.upstream)
        self.policy = Policy(**{"key": "vendor", "retry": NO_RETRY, "cache": RULE, **policy})

    def begin(self, *numbers: int, **how: Any) -> asyncio.Task[list[Response | KitError]]:
        return asyncio.ensure_future(self.client.fetch_batch(urls(*numbers), self.policy, **how))

    def begin_one(self, number: int) -> asyncio.Task[Response]:
        return asyncio.ensure_future(self.client.send(Request(operation="fetch", url=f"{HOST}/{number}"), self.policy))

    async def free(self, *numbers: int) -> list[bool]:
        """Say of each whether nobody leads its load any more."""
        keys = [f"vendor:fetch:{digest}" for digest in self.digests(*numbers)]
        told = [await self.store.leases.acquire(key, owner="thief", lease_s=0.001) for key in keys]
        return [type(answer).__name__ == "Lease" for answer in told]

    def digests(self, *numbers: int) -> list[str]:
        from_keys = {key.rpartition(":")[2] for key in self.store.leases._grants}
        assert len(from_keys) >= len(numbers)
        return sorted(from_keys)


def urls(*numbers: int) -> list[str]:
    return [f"{HOST}/{number}" for number in numbers]


def told(outcomes: list[Any]) -> list[Any]:
    return [int(outcome.body) if isinstance(outcome, Response) else type(outcome) for outcome in outcomes]


def said(outcome: Any) -> tuple[int, bool, str]:
    return int(outcome.body), outcome.journey.revalidated, outcome.journey.grade


async def settle() -> None:
    await asyncio.sleep(0.02)


def play(scene: Callable[[], Awaitable[Any]]) -> Any:
    async def playing() -> Any:
        return await scene()

    return asyncio.run(playing())


def test_a_cold_batch_looks_once_and_takes_leases_and_writes_a_few_at_a_time():
    async def scene() -> Any:
        desk = Desk(store := CountingCache(), bulkhead=BulkheadRule(concurrent=10), pace=Pace.per_minute(600_000, burst=200))
        batch = desk.begin(*range(100))
        await settle()
        desk.upstream.bell.set()
        outcomes = await batch
        cold = dict(store.asked)
        warm = await desk.begin(*range(100))
        return told(outcomes), told(warm), cold, dict(store.asked), desk.upstream.most, desk.cache.statistics()["vendor"]

    cold, warm, asked, asked_after, most, counts = play(scene)
    assert cold == warm == list(range(100))
    assert (asked["read_many"], asked["claim_many"]) == (1, 5)
    assert asked["write_many"] <= 3
    assert asked_after == asked | {"read_many": 2}
    assert most == 10
    assert (counts.misses, counts.refreshes, counts.hits, counts.errors, counts.refused_writes) == (100, 100, 100, 0, 0)


def test_two_batches_of_one_process_share_what_they_have_in_common():
    async def scene() -> Any:
        desk = Desk()
        first, second = desk.begin(1, 2, 3), desk.begin(2, 3, 4)
        await settle()
        desk.upstream.bell.set()
        return told(await first), told(await second), sorted(desk.upstream.asked)

    assert play(scene) == ([1, 2, 3], [2, 3, 4], [1, 2, 3, 4])


def test_two_processes_with_the_same_batch_load_each_once_and_share_the_work():
    async def scene() -> Any:
        store = MemoryCache()
        desks = [Desk(store, bulkhead=BulkheadRule(concurrent=3)) for _ in range(2)]
        batches = [desk.begin(*range(30)) for desk in desks]
        await settle()
        for desk in desks:
            desk.upstream.bell.set()
        outcomes = [told(await batch) for batch in batches]
        return outcomes, [desk.upstream.asked for desk in desks]

    outcomes, (ours, theirs) = play(scene)
    assert outcomes == [list(range(30))] * 2
    assert sorted(ours + theirs) == list(range(30))
    assert min(len(ours), len(theirs)) > 0


def test_one_caller_joins_the_load_of_a_batch_and_a_batch_that_of_one_caller():
    async def scene() -> Any:
        desk = Desk()
        one = desk.begin_one(1)
        await settle()
        batch = desk.begin(1, 2)
        await settle()
        other = desk.begin_one(2)
        await settle()
        desk.upstream.bell.set()
        return (await one).body, told(await batch), (await other).body, desk.upstream.asked

    assert play(scene) == (b"1", [1, 2], b"2", [1, 2])


def test_a_batch_that_is_broken_off_finishes_what_it_began_and_leaves_the_rest_to_those_who_want_it():
    async def scene() -> Any:
        desk = Desk(bulkhead=BulkheadRule(concurrent=2))
        batch = desk.begin(*range(10))
        await settle()
        joined = desk.begin_one(3)  # its lease is taken, its load is not begun
        await settle()
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch
        asked = list(desk.upstream.asked)
        desk.upstream.bell.set()
        body = (await joined).body
        await settle()
        free = await desk.free(0, 1, 2, 3)
        kept = sorted(int(desk.store.look(key).entry.value) for key in desk.store.kept_keys())  # type: ignore[union-attr]
        return asked, body, sorted(desk.upstream.asked), kept, all(free), len(asyncio.all_tasks())

    assert play(scene) == ([0, 1], b"3", [0, 1, 3], [0, 1, 3], True, 1)


def test_closing_the_cache_breaks_off_a_batch_and_gives_its_leases_back():
    async def scene() -> Any:
        desk = Desk(bulkhead=BulkheadRule(concurrent=2))
        batch = desk.begin(*range(10))
        await settle()
        joined = desk.begin_one(3)
        await settle()
        await desk.cache.close()
        ends = await asyncio.gather(batch, joined, return_exceptions=True)
        return [type(end) for end in ends], desk.upstream.broken_off, all(await desk.free(0, 1)), len(asyncio.all_tasks())

    assert play(scene) == ([asyncio.CancelledError] * 2, 2, True, 1)


def test_a_bug_of_a_call_is_raised_at_once_and_nothing_further_is_begun():
    async def scene() -> Any:
        desk = Desk(bulkhead=BulkheadRule(concurrent=2))
        desk.upstream.bell.set()

        def broken(number: int) -> Answer:
            raise LookupError("a bug")

        desk.upstream.answers = broken
        with pytest.raises(LookupError, match="a bug"):
            await desk.begin(*range(100))
        await settle()
        return len(desk.upstream.asked), all(await desk.free(0, 1)), desk.store.kept_keys(), len(asyncio.all_tasks())

    asked, is_free, kept, tasks = play(scene)
    assert asked <= 2
    assert (is_free, kept, tasks) == (True, set(), 1)


def test_failures_are_outcomes_and_are_remembered_each_by_itself():
    async def scene() -> Any:
        desk = Desk()
        desk.upstream.bell.set()
        good = desk.upstream.answers

        def answers(number: int) -> Answer:
            if number == 404:
                raise HttpStatus(404)
            return good(number)

        desk.upstream.answers = answers
        first = await desk.begin(1, 404, 2)
        again = await desk.begin(404, 2, 1)
        counts = desk.cache.statistics()["vendor"]
        return told(first), told(again), desk.upstream.asked, counts.negative_hits, counts.errors, first[1]

    first, again, asked, negative, errors, failure = play(scene)
    assert (first, again) == ([1, HttpStatus, 2], [HttpStatus, 2, 1])
    assert (asked, negative, errors) == ([1, 404, 2], 1, 1)
    assert failure.journey.attempts == 1


def test_old_answers_are_asked_about_and_forced_ones_fetched_again_in_a_batch_too():
    clock = FakeClock()
    conditions: list[str | None] = []

    def answer(request: Request) -> Answer:
        conditions.append(request.headers.get("If-None-Match"))
        body = request.url.rpartition("/")[2].encode()
        if request.headers:
            return Answer(status=304, headers={}, body=b"", received_at_s=0.0)
        return Answer(status=200, headers={"etag": f'"{body.decode()}"'}, body=body, received_at_s=0.0)

    async def scene() -> Any:
        cache = StaleCache(store=MemoryCache(clock=clock), clock=clock)
        client = Client(store=MemoryStore(clock), clock=clock, cache=cache, transport=ScriptedUpstream(answer, clock=clock))
        policy = Policy(key="vendor", cache=RULE, retry=NO_RETRY)
        await client.fetch_batch(urls(1, 2), policy)
        clock.advance(61)
        old = await client.fetch_batch(urls(1, 2), policy)
        forced = await client.fetch_batch(urls(1, 2), policy, force=True)
        return [[said(one) for one in some] for some in (old, forced)]

    assert play(scene) == [[(1, True, "fresh"), (2, True, "fresh")]] * 2
    assert conditions == [None, None, '"1"', '"2"', '"1"', '"2"']


def test_when_there_is_no_time_left_an_old_answer_stands_in_and_a_joiner_begins_anew():
    clock = FakeClock()
    upstream = ScriptedUpstream(b"yes", clock=clock, latency_s=2)

    async def scene() -> Any:
        cache = StaleCache(store=MemoryCache(clock=clock), clock=clock)
        client = Client(store=MemoryStore(clock), clock=clock, cache=cache, transport=upstream)
        policy = Policy(key="vendor", cache=RULE, retry=NO_RETRY)
        await client.fetch_batch(urls(2), policy)
        clock.advance(61)
        return await client.fetch_batch(urls(1, 2, 3), policy, concurrency=1, deadline_s=1)

    first, second, third = play(scene)
    assert (first.body, type(third)) == (b"yes", TimedOut)
    assert (second.body, second.journey.grade, second.journey.attempts) == (b"yes", "aged", 0)
    assert "no time left" in second.journey.stale_reason
    assert [request.url for request in upstream.requests] == urls(2, 1)


def test_without_a_store_every_call_has_the_outage_for_its_outcome_and_none_is_made():
    class Gone(MemoryCache):
        async def read_many(self, keys: Any) -> Any:
            raise StoreUnavailable

    async def scene() -> Any:
        desk = Desk(Gone())
        return told(await desk.begin(1, 2, 3)), desk.upstream.asked

    assert play(scene) == ([StoreUnavailable] * 3, [])


def test_a_store_that_goes_before_the_leases_fails_the_calls_and_one_that_goes_before_the_writes_does_not():
    class Going(MemoryCache):
        gone = ""

        async def claim_many(self, *words: Any, **more: Any) -> Any:
            if self.gone == "claim":
                raise StoreUnavailable
            return await super().claim_many(*words, **more)

        async def write_many(self, *words: Any, **more: Any) -> Any:
            if self.gone == "write":
                raise StoreUnavailable
            return await super().write_many(*words, **more)

    async def scene() -> Any:
        desk = Desk(store := Going())
        desk.upstream.bell.set()
        ends = []
        for store.gone in ("claim", "write"):
            ends.append(told(await desk.begin(1, 2)))
        return ends, desk.upstream.asked, desk.cache.statistics()["vendor"].refused_writes

    assert play(scene) == ([[StoreUnavailable] * 2, [1, 2]], [1, 2], 2)


def test_loads_that_take_longer_than_a_lease_keep_it(monkeypatch):
    monkeypatch.setattr("apps.resilience.cache_convoy.LEASE_S", 0.15)

    async def scene() -> Any:
        desk = Desk()
        batch = desk.begin(1, 2)
        taken = []
        for _ in range(10):
            await asyncio.sleep(0.05)
            taken += await desk.free(1, 2)
        desk.upstream.bell.set()
        return told(await batch), taken, desk.cache.statistics()["vendor"].refused_writes

    assert play(scene) == ([1, 2], [False] * 20, 0)


def test_who_waits_too_long_for_another_process_is_told_so():
    async def scene() -> Any:
        store = MemoryCache()
        slow, desk = Desk(store), Desk(store)
        desk.cache = StaleCache(store=store, wait_s_max=0.05)
        desk.client = Client(store=MemoryStore(), cache=desk.cache, transport=desk.upstream)
        batch = slow.begin(1, 2)
        await settle()
        outcomes = await desk.begin(1, 2)
        slow.upstream.bell.set()
        return told(outcomes), str(outcomes[0]), told(await batch), desk.upstream.asked

    outcomes, words, slow, asked = play(scene)
    assert (outcomes, slow, asked) == ([TimedOut] * 2, [1, 2], [])
    assert "another process has been working on" in words
