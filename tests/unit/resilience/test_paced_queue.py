"""Work that waits for slots: late binding, order, leases, and the pace of the limiter beside it."""

from __future__ import annotations

import asyncio

import pytest

from apps.resilience import BreakerRule, Feedback, Limiter, MemoryStore, Pace, Verdict
from apps.resilience.paced import LEASE_S, Ahead, Due, PacedItem, PacedLine, PacedQueue
from apps.resilience.stores.paced_memory import MemoryPaced
from apps.resilience.testing import FakeClock

EVEN = Pace.per_minute(60, burst=1)  # a slot each second


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def queue(store) -> PacedQueue:
    return PacedQueue(MemoryPaced(store))


def item(name: str, **more: object) -> PacedItem:
    return PacedItem(id=name, source="news", body=f"the body of {name}", **more)  # type: ignore[arg-type]


def fill(queue: PacedQueue, *items: PacedItem) -> None:
    queue.offer(item("first"), EVEN)
    assert [offer.goes_now for offer in queue.offer_many(items, EVEN)] == [False] * len(items)


def ids(queue: PacedQueue, clock: FakeClock, slots: int) -> list[str]:
    """Return what comes in so many slots, in order; each lands at once."""
    came = []
    for _ in range(slots):
        clock.advance(1.0)
        popped = [found.id for found in queue.pop("news").popped]
        queue.landed("news", popped)
        came += popped
    return came


def test_the_first_goes_at_once_and_the_next_waits_for_its_slot(queue, clock):
    first, second = queue.offer(item("a"), EVEN), queue.offer(item("b"), EVEN)
    assert first.goes_now
    assert (second.goes_now, second.waits_s) == (False, 1.0)
    assert queue.pop("news").popped == ()
    clock.advance(0.999)
    assert queue.pop("news").popped == ()
    clock.advance(0.001)
    assert [(found.id, found.body) for found in queue.pop("news").popped] == [("b", "the body of b")]


def test_an_offer_says_how_long_it_will_take(queue):
    assert [offer.waits_s for offer in queue.offer_many([item(str(n)) for n in range(4)], EVEN)] == [0.0, 1.0, 2.0, 3.0]


def test_a_burst_goes_at_once_and_no_more(queue):
    offers = queue.offer_many([item(str(n)) for n in range(10)], Pace.per_minute(60, burst=4))
    assert [offer.goes_now for offer in offers] == [True] * 4 + [False] * 6


def test_the_same_id_waits_once_also_while_it_is_in_flight(queue, clock):
    fill(queue, item("a"))
    queue.offer_many([item("a"), item("a")], EVEN)
    assert queue.waiting() == [PacedLine("news", "", 1)]
    clock.advance(1.0)
    assert len(queue.pop("news").popped) == 1
    assert not queue.offer(item("a"), EVEN).goes_now
    assert queue.waiting() == []
    assert queue.landed("news", ["a"]) == 1
    clock.advance(5.0)
    assert queue.offer(item("a"), EVEN).goes_now


def test_higher_priorities_come_first_and_then_the_oldest(queue, clock):
    fill(queue, item("plain"), item("later"), item("urgent", priority=5), item("idle", priority=-1))
    assert ids(queue, clock, 4) == ["urgent", "plain", "later", "idle"]


def test_no_tenant_waits_behind_the_backlog_of_another(queue, clock):
    fill(queue, *(item(f"big {n}", tenant="big") for n in range(200)))
    assert ids(queue, clock, 5) == [f"big {n}" for n in range(5)]
    queue.offer_many([item(f"small {n}", tenant="small") for n in range(3)], EVEN)
    assert [name.split()[0] for name in ids(queue, clock, 8)].count("small") == 3


def test_weights_share_the_slots(queue, clock):
    heavy = [item(f"heavy {n}", tenant="heavy", weight=3) for n in range(60)]
    fill(queue, *heavy, *(item(f"light {n}", tenant="light") for n in range(60)))
    came = [name.split()[0] for name in ids(queue, clock, 40)]
    assert (came.count("heavy"), came.count("light")) == (30, 10)


def test_another_weight_holds_for_what_waits_already(queue, clock):
    fill(queue, *(item(f"{who} {n}", tenant=who) for who in ("heavy", "light") for n in range(60)))
    assert queue.weigh("news", {"heavy": 3, "light": 1, "away": 9}) == 1
    assert queue.weigh("news", {"heavy": 3}) == queue.weigh("odds", {"heavy": 2}) == queue.weigh("news", {}) == 0
    came = [name.split()[0] for name in ids(queue, clock, 40)]
    assert (came.count("heavy"), came.count("light")) == (30, 10)
    with pytest.raises(ValueError, match="from 1 to"):
        queue.weigh("news", {"heavy": 0})


def test_slots_that_nobody_used_are_not_saved_up(queue, clock):
    fill(queue, *(item(str(n)) for n in range(5)))
    clock.advance(600.0)
    assert len(queue.pop("news").popped) == 1


def test_what_waits_holds_no_slot_so_others_of_the_source_share_the_pace(queue, store, clock):
    fill(queue, item("a"))
    clock.advance(1.0)
    limiter = Limiter("news", EVEN, store=store, clock=clock)
    assert asyncio.run(limiter.reserve(wait_s_max=0.0)).granted
    assert queue.pop("news").popped == ()
    clock.advance(1.0)
    assert len(queue.pop("news").popped) == 1


def test_a_slower_pace_a_pause_and_an_override_hold_for_what_waits_already(queue, store, clock):
    fill(queue, *(item(str(n)) for n in range(9)))
    asyncio.run(store.adapt("news", EVEN, Feedback.RATE_LIMIT, retry_after_s=30.0))
    assert ids(queue, clock, 29) == []
    assert ids(queue, clock, 1) == ["0"]
    asyncio.run(store.set_override("news", 4_000_000))
    assert ids(queue, clock, 8) == ["1", "2"]  # one slot was set when the pace was still the old one
    asyncio.run(store.set_override("news", 0))
    assert ids(queue, clock, 3) == ["3", "4", "5"]


def test_nothing_goes_while_the_breaker_is_open(queue, store, clock):
    fill(queue, item("a"))
    rule = BreakerRule(failures=1, open_s=10.0)
    asyncio.run(store.report("news", rule, Verdict.FAILURE, generation=0))
    assert ids(queue, clock, 9) == []
    assert not queue.offer(item("b"), EVEN).goes_now
    assert ids(queue, clock, 2) == ["a", "b"]


def test_what_is_lost_in_flight_comes_back_to_the_front_and_takes_a_new_slot(queue, clock):
    fill(queue, item("lost"), item("other"), item("third"))
    clock.advance(1.0)
    lost = queue.pop("news").popped
    assert [found.id for found in lost] == ["lost"]
    assert ids(queue, clock, 1) == ["other"]
    clock.advance(LEASE_S - 1.0)
    again = queue.pop("news")
    assert ([found.id for found in again.popped], again.reclaimed) == (["lost"], 1)
    assert again.popped[0].slot.at_us == lost[0].slot.at_us + int(LEASE_S * 1_000_000)
    assert ids(queue, clock, 1) == ["third"]


def test_what_was_carried_late_and_put_back_meanwhile_is_carried_again(queue, clock):
    fill(queue, item("slow"))
    clock.advance(1.0)
    queue.pop("news")
    clock.advance(LEASE_S)
    assert queue.reclaim("news") == 1
    assert queue.landed("news", ["slow"]) == 0
    assert [found.id for found in queue.pop("news").popped] == ["slow"]


def test_what_comes_next_can_be_seen_in_its_order_and_takes_no_slot(queue, clock):
    fill(queue, *(item(f"big {n}", tenant="big", weight=2) for n in range(5)), item("a", priority=-1), item("b"), item("c"))
    ahead = queue.peek("news").ahead
    assert [found.body for found in ahead] == [f"the body of {found.id}" for found in ahead]
    assert [found.id for found in queue.peek("news", 3).ahead] == [found.id for found in ahead[:3]]
    assert ids(queue, clock, 8) == [found.id for found in ahead]
    assert queue.peek("news").ahead == queue.peek("nowhere").ahead == ()


def test_a_look_ahead_puts_back_what_was_lost_in_flight(queue, clock):
    fill(queue, item("lost"), item("other"))
    clock.advance(1.0)
    queue.pop("news")
    assert [found.id for found in queue.peek("news").ahead] == ["other"]
    clock.advance(LEASE_S)
    looked = queue.peek("news")
    assert ([found.id for found in looked.ahead], looked.reclaimed) == (["lost", "other"], 1)
    assert queue.peek("news").reclaimed == 0


def test_what_is_passed_on_never_comes(queue, clock):
    fill(queue, item("a"), item("b", tenant="x"))
    assert queue.pass_on("news", {"a": None, "nobody": None}) == {"a"}
    assert queue.pass_on("news", {"a": None}) == queue.pass_on("nowhere", {"a": None}) == queue.pass_on("news", {}) == set()
    assert queue.waiting() == [PacedLine("news", "x", 1)]
    assert ids(queue, clock, 3) == ["b"]
    assert queue.pop("news").next_s is None


def test_what_is_in_flight_is_not_passed_on(queue, clock):
    fill(queue, item("a"), item("b"))
    clock.advance(1.0)
    assert [found.id for found in queue.pop("news").popped] == ["a"]
    assert queue.pass_on("news", {"a": Ahead("heir", "")}) == set()
    assert queue.landed("news", ["a"]) == 1
    assert ids(queue, clock, 2) == ["b"]


def test_an_heir_takes_the_place_also_when_it_stood_further_back(queue, clock):
    fill(queue, item("old"), item("second"), item("older"), item("heir"), item("first", priority=9))
    assert queue.pass_on("news", {"old": Ahead("heir", "unread"), "older": Ahead("new", "of the new")}) == {"old", "older"}
    came = queue.peek("news").ahead
    assert [found.id for found in came] == ["first", "heir", "second", "new"]
    assert (came[1].body, came[3].body) == ("the body of heir", "of the new")
    assert ids(queue, clock, 5) == ["first", "heir", "second", "new"]


def test_an_heir_with_a_better_place_keeps_it_and_so_does_one_of_another_tenant(queue):
    fill(queue, item("heir"), item("old"), item("between", tenant="x"), item("other heir", tenant="x"), item("gone"))
    assert queue.pass_on("news", {"old": Ahead("heir", ""), "gone": Ahead("other heir", "")}) == {"old", "gone"}
    assert [found.id for found in queue.peek("news").ahead] == ["heir", "between", "other heir"]
    with pytest.raises(ValueError, match="an heir needs"):
        queue.pass_on("news", {"heir": Ahead("", "")})


def test_a_source_is_looked_at_when_its_slot_comes_at_least_each_second_and_then_no_more(queue, clock):
    assert queue.due().next_s is None
    queue.offer(item("first"), EVEN)
    assert queue.due().next_s is None
    queue.offer(item("a"), EVEN)
    assert (queue.due().sources, queue.due().next_s) == ((), 1.0)
    clock.advance(1.0)
    assert queue.due().sources == ("news",)
    assert queue.pop("news").next_s == LEASE_S
    queue.landed("news", ["a"])
    clock.advance(LEASE_S)
    assert queue.pop("news").next_s is None
    assert queue.due() == Due((), None)


def test_an_item_that_could_not_be_kept_is_refused():
    for wrong in ({"id": ""}, {"id": "x" * 301}, {"id": "a", "weight": 0}, {"id": "a", "priority": 1_001}):
        with pytest.raises(ValueError, match=r"id of at most|weights go from"):
            PacedItem(source="news", body="", **wrong)
    with pytest.raises(ValueError, match="a body of at most 65536"):
        PacedItem(id="a", source="news", body="x" * 65_537)


def test_items_of_one_call_are_of_one_source(queue):
    with pytest.raises(ValueError, match="one source"):
        queue.offer_many([item("a"), PacedItem(id="b", source="other", body="")], EVEN)
    assert queue.waiting() == []
