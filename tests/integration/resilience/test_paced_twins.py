"""The Lua of the paced queue gives, on every history, what the pure twin gives."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from django.conf import settings as desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.resilience import Feedback, Pace, Verdict
from apps.resilience.paced import Ahead, PacedItem, PacedQueue
from apps.resilience.stores import paced_scripts
from apps.resilience.stores.paced_memory import MemoryPaced
from tests.integration.resilience.paced_by_hand import READING, RULE, START_US, ByHand, ByHandRedis

PREFIX = "test-paced-twins:"


class Twins:
    """One paced queue twice; every verb is done to both, and both must say the same."""

    def __init__(self, redis: ByHandRedis) -> None:
        self.store, self.redis = ByHand(), redis
        redis.present_us, redis._prefix = START_US, f"{PREFIX}{uuid.uuid4().hex}:"
        self.memory = PacedQueue(MemoryPaced(self.store))
        self.shared = PacedQueue(redis)

    def wait(self, pause_us: int) -> None:
        self.store.present_us += pause_us
        self.redis.present_us += pause_us

    def offer(self, source: str, quota: int, rows: list[tuple[int, int, int, int]]) -> None:
        items = [
            PacedItem(
                id=f"i{name}", source=source, body=f"{name}", tenant=f"t {who}" if who else "", priority=order, weight=weight
            )
            for name, who, order, weight in rows
        ]
        pace = Pace.per_minute(quota)
        expected = self.memory.offer_many(items, pace)
        got = self.shared.offer_many(items, pace)
        assert [offer.slot for offer in got] == [offer.slot for offer in expected]
        assert [offer.waits_s for offer in got] == pytest.approx([offer.waits_s for offer in expected])

    def pop(self, source: str, limit: int, lost: int) -> None:
        expected = self.memory.pop(source, limit)
        got = self.shared.pop(source, limit)
        assert (got.popped, got.reclaimed) == (expected.popped, expected.reclaimed)
        assert got.next_s == (None if expected.next_s is None else pytest.approx(expected.next_s))
        carried = [found.id for found in got.popped][lost:]
        assert self.shared.landed(source, carried) == (self.memory.landed(source, carried) if carried else 0)

    def weigh(self, source: str, weights: dict[int, int]) -> None:
        of_tenants = {f"t {who}" if who else "": weight for who, weight in weights.items()}
        assert self.shared.weigh(source, of_tenants) == self.memory.weigh(source, of_tenants)

    def peek(self, source: str, limit: int) -> None:
        assert self.shared.peek(source, limit) == self.memory.peek(source, limit)

    def pass_on(self, source: str, names: dict[int, int | None]) -> None:
        heirs = {f"i{name}": None if heir is None else Ahead(f"i{heir}", f"of {name}") for name, heir in names.items()}
        assert self.shared.pass_on(source, heirs) == self.memory.pass_on(source, heirs)
        assert self.shared.peek(source) == self.memory.peek(source)

    def adapt(self, source: str, quota: int, feedback: Feedback, retry_after_s: float | None) -> None:
        pace = Pace.per_minute(quota)
        asyncio.run(self.store.adapt(source, pace, feedback, retry_after_s=retry_after_s))
        self.redis.adapt(source, pace, feedback, retry_after_s)

    def override(self, source: str, interval_us: int) -> None:
        asyncio.run(self.store.set_override(source, interval_us))
        self.redis.override(source, interval_us)

    def fail(self, source: str) -> None:
        asyncio.run(self.store.report(source, RULE, Verdict.FAILURE, generation=0))
        self.redis.fail(source)

    def compare(self) -> None:
        assert self.shared.waiting() == self.memory.waiting()
        expected = self.memory.due()
        got = self.shared.due()
        assert set(got.sources) == set(expected.sources)
        if not got.sources:
            assert got.next_s == (None if expected.next_s is None else pytest.approx(expected.next_s))


@pytest.fixture(scope="module")
def redis() -> Iterator[ByHandRedis]:
    made = ByHandRedis(desk.KIT_REDIS_URL)
    yield made
    for found in list(made._client.scan_iter(f"{PREFIX}*", count=1_000)):
        made._client.delete(found)
    made.close()


sources = st.sampled_from(["news", "odds"])
quotas = st.sampled_from([5, 60, 600])
rows = st.tuples(st.integers(0, 30), st.integers(0, 3), st.sampled_from([0, 0, 1, 2, -1, 999, 1_000, -1_000]), st.integers(1, 4))
steps = st.one_of(
    st.tuples(st.just("offer"), sources, quotas, st.lists(rows, min_size=1, max_size=8)),
    st.tuples(st.just("offer"), sources, quotas, st.lists(rows, min_size=1, max_size=8)),
    st.tuples(st.just("pop"), sources, st.sampled_from([0, 1, 3, 100]), st.integers(0, 2)),
    st.tuples(st.just("pop"), sources, st.just(100), st.just(0)),
    st.tuples(st.just("peek"), sources, st.sampled_from([0, 1, 3, 100])),
    st.tuples(st.just("pass_on"), sources, st.dictionaries(st.integers(0, 30), st.none() | st.integers(0, 40), max_size=12)),
    st.tuples(st.just("weigh"), sources, st.dictionaries(st.integers(0, 4), st.integers(1, 5))),
    st.tuples(st.just("adapt"), sources, quotas, st.sampled_from([*Feedback]), st.sampled_from([None, 0.0, 3.0])),
    st.tuples(st.just("override"), sources, st.sampled_from([0, 2_000_000])),
    st.tuples(st.just("fail"), sources),
)
pauses = st.sampled_from([0, 1, 100_000, 1_000_000, 7_000_000, 31_000_000])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.tuples(pauses, steps), min_size=3, max_size=40))
def test_the_paced_queues_lua_gives_what_the_pure_twin_gives(redis, history):
    both = Twins(redis)
    for pause_us, (verb, *arguments) in history:
        both.wait(pause_us)
        getattr(both, verb)(*arguments)
        both.compare()


def test_all_that_waits_comes_once_and_in_the_same_order(redis):
    both = Twins(redis)
    both.offer("news", 600, [(name, name % 4, name % 3, 1 + name % 4) for name in range(60)])
    came = []
    for _ in range(200):
        both.wait(100_000)
        expected, got = both.memory.pop("news"), both.shared.pop("news")
        assert got.popped == expected.popped
        ids = [found.id for found in got.popped]
        assert both.shared.landed("news", ids) == len(ids)
        both.memory.landed("news", ids)
        came += ids
    assert len(came) == len(set(came)) == 60 - Pace.per_minute(600).burst
    both.compare()


def test_scripts_name_the_clock_once():
    timed = (paced_scripts.OFFER, paced_scripts.POP, paced_scripts.PEEK, paced_scripts.PASS_ON, paced_scripts.DUE)
    assert [text.count(READING) for text in timed] == [1, 1, 1, 1, 1]
