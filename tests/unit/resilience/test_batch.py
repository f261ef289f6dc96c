"""Many calls at once: a value for each, in order, at the price of one round trip."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.resilience import (
    NO_RETRY,
    AddressRefused,
    BreakerOpen,
    BreakerRule,
    CacheRule,
    Client,
    HttpStatus,
    KitError,
    MemoryCache,
    MemoryStore,
    Pace,
    PaceExceeded,
    Policy,
    Request,
    Response,
    StaleCache,
    TimedOut,
)
from apps.resilience.bulkhead import BulkheadRule
from apps.resilience.errors import RequestRefused
from apps.resilience.exchange import Answer
from apps.resilience.testing import FakeClock, ScriptedUpstream

HOST = "https://vendor.example"


class CountingStore(MemoryStore):
    """A store that counts how often it is asked."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: Counter[str] = Counter()

    async def reserve(self, *words: Any, **more: Any) -> Any:
        self.asked["reserve"] += 1
        return await super().reserve(*words, **more)

    async def adapt(self, *words: Any, **more: Any) -> Any:
        self.asked["adapt"] += 1
        return await super().adapt(*words, **more)

    async def report(self, *words: Any, **more: Any) -> Any:
        self.asked["report"] += 1
        return await super().report(*words, **more)


def echo(request: Request) -> Answer | KitError:
    """Answer /N with N; /404 and /503 with these statuses."""
    number = request.url.rpartition("/")[2]
    if number in ("404", "503"):
        return HttpStatus(int(number))
    return Answer(status=200, headers={}, body=number.encode(), received_at_s=0.0)


class Desk:
    """A client with a scripted other side; `fetch` makes one batch."""

    def __init__(self, *script: Any, **options: Any) -> None:
        self.clock = FakeClock()
        self.store = CountingStore(self.clock)
        self.upstream = ScriptedUpstream(*(script or (echo,)), clock=self.clock)
        self.client = Client(store=self.store, clock=self.clock, transport=self.upstream, **options)

    def fetch(
        self, requests: Any, *, concurrency: int | None = None, deadline_s: float | None = None, **policy: Any
    ) -> list[Any]:
        rule = Policy(**{"key": "vendor", "retry": NO_RETRY, **policy})
        return asyncio.run(self.client.fetch_batch(requests, rule, concurrency=concurrency, deadline_s=deadline_s))


def urls(*numbers: int) -> list[str]:
    return [f"{HOST}/{number}" for number in numbers]


def told(outcomes: list[Any]) -> list[Any]:
    return [int(outcome.body) if isinstance(outcome, Response) else type(outcome) for outcome in outcomes]


def test_every_call_has_its_outcome_in_its_place_and_none_is_raised():
    desk = Desk()
    outcomes = desk.fetch(urls(1, 404, 2, 503, 3))
    assert told(outcomes) == [1, HttpStatus, 2, HttpStatus, 3]
    assert [outcome.journey.attempts for outcome in outcomes] == [1] * 5
    assert len(desk.upstream.requests) == 5


def test_no_calls_have_no_outcomes():
    desk = Desk()
    assert desk.fetch([], pace=Pace.per_minute(60)) == []
    assert desk.store.asked == Counter()


@given(numbers=st.lists(st.sampled_from([1, 2, 3, 4, 404]), max_size=40), concurrency=st.integers(1, 8))
def test_whatever_is_asked_the_outcomes_keep_their_places_and_equals_share_one_call(numbers, concurrency):
    desk = Desk()
    outcomes = desk.fetch(urls(*numbers), concurrency=concurrency)
    assert told(outcomes) == [HttpStatus if number == 404 else number for number in numbers]
    assert len(desk.upstream.requests) == len(set(numbers))


def test_what_is_more_than_a_question_is_made_as_often_as_it_is_asked():
    desk = Desk()
    post = Request(operation="order", url=f"{HOST}/7", method="POST", json=b"{}")
    once = Request(operation="order", url=f"{HOST}/8", repeatable=False)
    other_headers = [Request(operation="ask", url=f"{HOST}/9", headers={"X": text}) for text in "ab"]
    assert told(desk.fetch([post, post, once, once, *other_headers])) == [7, 7, 8, 8, 9, 9]
    assert len(desk.upstream.requests) == 6


def test_a_hundred_paced_calls_take_their_slots_in_one_round_trip():
    desk = Desk()
    outcomes = desk.fetch(urls(*range(1, 101)), pace=Pace.per_minute(6_000, burst=200))
    assert told(outcomes) == list(range(1, 101))
    assert desk.store.asked["reserve"] == 1
    assert desk.store.asked["adapt"] == 0
    assert desk.store.asked["report"] <= 2


def test_calls_start_at_the_slots_that_were_taken():
    starts: list[float] = []

    def noting(request: Request) -> Answer | KitError:
        starts.append(round(desk.clock.now_s() - 1_700_000_000.0, 6))
        return echo(request)

    desk = Desk(noting)
    outcomes = desk.fetch(urls(1, 2, 3, 4), concurrency=1, pace=Pace(interval_us=2_000_000))
    assert starts == [0.0, 2.0, 4.0, 6.0]
    assert [outcome.journey.wait_s for outcome in outcomes] == [0.0, 2.0, 2.0, 2.0]


def test_who_gets_no_slot_within_the_deadline_is_refused_and_not_sent():
    desk = Desk()
    outcomes = desk.fetch(urls(*range(1, 11)), concurrency=1, pace=Pace(interval_us=10_000_000), deadline_s=35)
    assert told(outcomes) == [1, 2, 3, 4] + [PaceExceeded] * 6
    assert [outcome.retry_after_s for outcome in outcomes[4:]] == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    assert len(desk.upstream.requests) == 4


def test_with_a_longer_deadline_all_are_served():
    desk = Desk()
    outcomes = desk.fetch(urls(*range(1, 11)), concurrency=1, pace=Pace(interval_us=10_000_000), deadline_s=95)
    assert told(outcomes) == list(range(1, 11))


def test_a_pause_in_the_middle_makes_the_slots_behind_it_worthless():
    desk = Desk(HttpStatus(429, retry_after_s=20), echo)
    outcomes = desk.fetch(urls(1, 2, 3), concurrency=1, pace=Pace(interval_us=1_000_000))
    assert told(outcomes) == [HttpStatus, 2, 3]
    assert desk.clock.now_s() - 1_700_000_000.0 >= 20
    assert outcomes[1].journey.wait_s >= 19


def test_a_refusal_without_a_word_about_time_makes_the_other_slots_of_the_batch_worthless():
    starts: list[float] = []
    script = [*[None] * 3, HttpStatus(429)]

    def noting(request: Request) -> Answer | KitError:
        starts.append(round(desk.clock.now_s() - 1_700_000_000.0, 3))
        return (script.pop(0) if script else None) or echo(request)

    desk = Desk(noting)
    outcomes = desk.fetch(urls(*range(1, 10)), concurrency=1, pace=Pace(interval_us=1_000_000), deadline_s=120)
    assert told(outcomes) == [1, 2, 3, HttpStatus, 5, 6, 7, 8, 9]
    assert starts[:4] == [0.0, 1.0, 2.0, 3.0]
    # The slots up to the ninth second are lost; from then on the calls keep the slower pace.
    assert starts[4] >= 9.0
    assert min(later - earlier for earlier, later in pairwise(starts[4:])) >= 1.8


def test_slots_are_not_taken_further_ahead_than_the_pace_is_sure_to_hold():
    desk = Desk()
    outcomes = desk.fetch(urls(*range(1, 41)), concurrency=1, pace=Pace(interval_us=1_000_000), deadline_s=120)
    assert told(outcomes) == list(range(1, 41))
    assert desk.clock.now_s() - 1_700_000_000.0 == pytest.approx(39)
    assert desk.store.asked["reserve"] == 4


def test_when_the_breaker_opens_the_rest_is_refused():
    desk = Desk(TimedOut())
    outcomes = desk.fetch(urls(*range(1, 51)), concurrency=1, breaker=BreakerRule(failures=5), pace=Pace(interval_us=1))
    assert told(outcomes) == [TimedOut] * 5 + [BreakerOpen] * 45
    assert len(desk.upstream.requests) == 5


def test_an_open_breaker_costs_no_slots():
    desk = Desk(TimedOut())
    options: dict[str, Any] = {"breaker": BreakerRule(failures=2), "pace": Pace(interval_us=1)}
    desk.fetch(urls(1, 2), concurrency=1, **options)
    before = desk.store.asked["reserve"]
    assert told(desk.fetch(urls(3, 4, 5), **options)) == [BreakerOpen] * 3
    assert (desk.store.asked["reserve"], len(desk.upstream.requests)) == (before, 2)


def test_a_request_that_cannot_be_sent_is_an_outcome_and_costs_the_others_nothing():
    desk = Desk()
    bad = Request(operation="ask", url=f"{HOST}/5", headers={"X": "a\r\nb"})
    assert told(desk.fetch([f"{HOST}/1", bad, f"{HOST}/2"])) == [1, RequestRefused, 2]
    assert len(desk.upstream.requests) == 2


def test_a_check_before_requests_stops_the_batch_before_anything_is_sent():
    def refuse(request: Request) -> None:
        if request.url.endswith("/3"):
            raise RuntimeError("not now")

    desk = Desk(before_request=(refuse,))
    with pytest.raises(RuntimeError, match="not now"):
        desk.fetch(urls(1, 2, 3))
    assert desk.upstream.requests == []


class Slow:
    """An other side that never answers until told to; it knows how many are inside."""

    def __init__(self) -> None:
        self.inside = self.most = self.broken_off = 0
        self.bell = asyncio.Event()

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.bell.wait()
        except asyncio.CancelledError:
            self.broken_off += 1
            raise
        finally:
            self.inside -= 1
        if request.url.endswith("/666"):
            raise LookupError("a bug")
        return Answer(status=200, headers={}, body=b"1", received_at_s=0.0)

    async def close(self) -> None:
        self.bell.set()


@pytest.mark.parametrize(("concurrency", "places", "most"), [(None, 7, 7), (3, 7, 3), (50, 7, 7)])
def test_no_more_are_on_their_way_than_the_bulkhead_or_the_caller_allows(concurrency, places, most):
    async def scene() -> int:
        slow = Slow()
        client = Client(store=MemoryStore(), transport=slow)
        policy = Policy(key="vendor", bulkhead=BulkheadRule(concurrent=places))
        batch = asyncio.create_task(client.fetch_batch(urls(*range(20)), policy, concurrency=concurrency))
        await asyncio.sleep(0.02)
        slow.bell.set()
        assert len(await batch) == 20
        return slow.most

    assert asyncio.run(scene()) == most


def test_a_batch_that_is_broken_off_leaves_nothing_behind():
    async def scene() -> tuple[int, int, int, int]:
        slow = Slow()
        client = Client(store=MemoryStore(), transport=slow)
        policy = Policy(key="vendor", bulkhead=BulkheadRule(concurrent=5))
        batch = asyncio.create_task(client.fetch_batch(urls(*range(20)), policy))
        await asyncio.sleep(0.02)
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch
        bulkhead = client._layers.lanes.of(policy).bulkhead
        return slow.inside, slow.broken_off, bulkhead.inside, len(asyncio.all_tasks())

    assert asyncio.run(scene()) == (0, 5, 0, 1)


def test_a_bug_is_raised_and_the_others_are_broken_off():
    async def scene() -> tuple[int, int]:
        slow = Slow()
        client = Client(store=MemoryStore(), transport=slow)
        slow.bell.set()
        with pytest.raises(LookupError, match="a bug"):
            await client.fetch_batch(urls(*range(600, 700)), Policy(key="vendor"))
        return slow.inside, len(asyncio.all_tasks())

    assert asyncio.run(scene()) == (0, 1)


def test_kept_answers_are_served_in_a_batch_too():
    async def scene() -> tuple[list[Any], list[Any], list[int], int]:
        upstream = ScriptedUpstream(echo)
        cache = StaleCache(store=MemoryCache())
        client = Client(store=MemoryStore(), transport=upstream, cache=cache)
        policy = Policy(key="vendor", retry=NO_RETRY, cache=CacheRule(fresh_s=60, early_beta=0))
        first = await client.fetch_batch(urls(1, 2, 404), policy)
        again = await client.fetch_batch(urls(1, 2, 3, 404), policy)
        await client.close()
        attempts = [outcome.journey.attempts if outcome.journey else 0 for outcome in again]
        return told(first), told(again), attempts, len(upstream.requests)

    first, again, attempts, calls = asyncio.run(scene())
    assert (first, again) == ([1, 2, HttpStatus], [1, 2, 3, HttpStatus])
    assert (attempts, calls) == ([0, 0, 1, 0], 4)


def test_with_a_cache_rule_no_call_begins_after_the_deadline_of_the_batch():
    async def scene() -> list[Any]:
        clock = FakeClock()
        cache = StaleCache(store=MemoryCache(clock=clock), clock=clock)
        upstream = ScriptedUpstream(echo, clock=clock, latency_s=2)
        client = Client(store=MemoryStore(clock), clock=clock, transport=upstream, cache=cache)
        policy = Policy(key="vendor", retry=NO_RETRY, cache=CacheRule(fresh_s=60, early_beta=0))
        return await client.fetch_batch(urls(1, 2, 3, 4), policy, concurrency=1, deadline_s=3)

    assert told(asyncio.run(scene())) == [1, 2, TimedOut, TimedOut]


def test_addresses_are_judged_in_a_batch_too():
    async def scene() -> list[Any]:
        client = Client(store=MemoryStore())
        outcomes = await client.fetch_batch(["http://127.0.0.1/", "ftp://x.example/", "http://①.1.1.1/"], Policy(key="vendor"))
        await client.close()
        return outcomes

    assert [type(outcome) for outcome in asyncio.run(scene())] == [AddressRefused] * 3
