"""A slot that is paid: the first call needs no other, unless the other side said something since."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.resilience import (
    Client,
    FallbackStore,
    Feedback,
    HttpStatus,
    Limiter,
    MemoryPaced,
    MemoryStore,
    Pace,
    PacedItem,
    PacedQueue,
    PaceExceeded,
    PaidSlot,
    Policy,
    Request,
    StoreUnavailable,
    allowing,
    slot_of_header,
)
from apps.resilience.limiter import interval_of
from apps.resilience.paced_slot import LATE_US_MAX
from apps.resilience.retry import NO_RETRY
from apps.resilience.testing import FakeClock, ScriptedUpstream

EVEN = Pace.per_minute(60, burst=1)
ASK = Request(operation="ask", url="https://vendor.example/")


class World:
    """A vendor by a script, the paced queue of its source, and the client of a worker; all on one clock."""

    def __init__(self, *script: Any, pace: Pace = EVEN) -> None:
        self.clock, self.pace = FakeClock(), pace
        self.store = MemoryStore(self.clock)
        self.queue = PacedQueue(MemoryPaced(self.store))
        self.upstream = ScriptedUpstream(*(script or (b"yes",)), clock=self.clock)
        self.client = Client(store=self.store, clock=self.clock, transport=self.upstream)
        self.policy = Policy(key="news", pace=pace, retry=NO_RETRY, deadline_s=60.0)
        self.began_s = self.clock.now_s()

    def slot(self) -> PaidSlot:
        offer = self.queue.offer(PacedItem(id="a", source="news", body=""), self.pace)
        assert offer.slot is not None
        return offer.slot

    def call(self, times: int = 1, **allowance: Any) -> list[float]:
        """Call so often as one piece of work, and return how long after the beginning each call had been let go."""

        async def work() -> list[float]:
            went_s = []
            for _ in range(times):
                await self.client.send(ASK, self.policy)
                went_s.append(round(self.clock.now_s() - self.began_s, 6))
            return went_s

        with allowing(**allowance):
            return asyncio.run(work())


def test_the_first_call_uses_the_slot_and_the_second_takes_its_own():
    world = World()
    assert world.call(3, slot=world.slot()) == [0.0, 1.0, 2.0]


def test_without_the_slot_the_first_call_would_have_waited():
    world = World()
    world.slot()
    assert world.call(1) == [1.0]


def test_a_slot_of_another_source_pays_for_nothing():
    world = World()
    slot = world.slot()
    assert world.call(1, slot=PaidSlot(source="odds", at_us=slot.at_us, interval_us=slot.interval_us)) == [1.0]


def test_a_slot_is_good_for_as_long_as_the_pace_leaves_room_for_late_calls():
    for late_us, went_s in ((LATE_US_MAX, LATE_US_MAX / 1_000_000), (LATE_US_MAX + 10_000, 1.0)):
        world = World()
        slot = world.slot()
        world.clock.advance(late_us / 1_000_000)
        assert world.call(1, slot=slot) == [went_s]


def test_a_refusal_between_slot_and_call_makes_the_slot_worth_nothing():
    world = World()
    slot = world.slot()
    asyncio.run(world.store.adapt("news", EVEN, Feedback.RATE_LIMIT))
    assert world.call(1, slot=slot) == [1.0]
    assert interval_of(asyncio.run(world.store.look_pace("news")), EVEN) == 2 * EVEN.interval_us


def test_a_pause_that_another_process_heard_between_slot_and_call_is_obeyed():
    world = World()
    slot = world.slot()
    asyncio.run(world.store.adapt("news", EVEN, Feedback.RATE_LIMIT, retry_after_s=20.0))
    assert world.call(1, slot=slot) == [20.0]


def test_a_refused_call_of_a_paid_slot_slows_what_waits():
    world = World(HttpStatus(429, retry_after_s=30.0), b"yes")
    slot = world.slot()
    world.queue.offer(PacedItem(id="b", source="news", body=""), EVEN)
    with pytest.raises(HttpStatus):
        world.call(1, slot=slot)
    world.clock.advance(29.9)
    assert world.queue.pop("news").popped == ()
    world.clock.advance(0.1)
    assert [found.id for found in world.queue.pop("news").popped] == ["b"]


def test_two_refusals_of_one_moment_count_once():
    world = World(pace=Pace.per_minute(60, burst=2))
    offers = world.queue.offer_many([PacedItem(id=name, source="news", body="") for name in "ab"], world.pace)
    limiter = Limiter("news", world.pace, store=world.store, clock=world.clock)
    paid = []
    for offer in offers:
        with allowing(slot=offer.slot):
            paid.append(asyncio.run(limiter.redeem()))
    assert None not in paid
    for reservation in paid:
        asyncio.run(limiter.on_rate_limit(reservation=reservation))
    assert asyncio.run(world.store.look_pace("news")).slowdowns == 1


def test_a_batch_uses_the_slot_first():
    world = World()
    slot = world.slot()
    requests = [f"https://vendor.example/{number}" for number in range(3)]
    with allowing(slot=slot):
        outcomes = asyncio.run(world.client.fetch_batch(requests, world.policy))
    assert all(not isinstance(outcome, Exception) for outcome in outcomes)
    assert round(world.clock.now_s() - world.began_s, 6) == 2.0


def test_the_first_call_gives_up_when_its_slot_is_far_and_takes_nothing():
    world = World(pace=Pace.per_minute(5))
    world.slot()
    with pytest.raises(PaceExceeded) as caught:
        world.call(1, wait_s_max=2.0)
    assert caught.value.retry_after_s == 12.0
    assert world.upstream.requests == []
    world.clock.advance(11.0)
    assert world.call(1, wait_s_max=2.0) == [12.0]


def test_work_that_has_begun_waits_for_its_later_calls():
    world = World(pace=Pace.per_minute(5))
    assert world.call(3, slot=world.slot(), wait_s_max=2.0) == [0.0, 12.0, 24.0]


def test_an_allowance_ends_with_its_block():
    world = World()
    slot = world.slot()
    with allowing(slot=slot):
        pass
    assert world.call(1) == [1.0]


def test_while_the_shared_store_is_away_a_slot_of_it_pays_for_nothing():
    world = World()
    slot = world.slot()

    class Away(MemoryStore):
        async def redeem(self, key: str, slot: PaidSlot) -> bool:
            raise StoreUnavailable

    spare = MemoryStore(world.clock)
    store = FallbackStore(Away(world.clock), spare, clock=world.clock)
    limiter = Limiter("news", EVEN, store=store, clock=world.clock)
    asyncio.run(limiter.reserve())
    with allowing(slot=slot):
        assert asyncio.run(limiter.redeem()) is None
    assert store.fallbacks == 1


def test_a_pace_that_was_set_holds_while_the_shared_store_is_away_and_is_lifted_for_then_too():
    class Away(MemoryStore):
        is_away, processes = False, 2

        async def reserve(self, *words: Any, **more: Any) -> Any:
            if self.is_away:
                raise StoreUnavailable
            return await super().reserve(*words, **more)

    clock = FakeClock()
    shared = Away(clock)
    store = FallbackStore(shared, MemoryStore(clock), clock=clock)
    asyncio.run(store.set_override("news", 5_000_000))
    shared.is_away = True
    assert asyncio.run(store.reserve("news", EVEN, wait_s_max=0.0)).interval_s == 10.0
    asyncio.run(store.set_override("news", 0))
    clock.advance(60.0)
    assert asyncio.run(store.reserve("news", EVEN, wait_s_max=0.0)).interval_s == 2.0


def test_a_header_is_read_as_it_was_written():
    slot = PaidSlot(source="news", at_us=1_700_000_000_000_000, interval_us=200_000, slowdowns=3)
    assert slot_of_header(slot.as_header()) == slot


@pytest.mark.parametrize(
    "forged",
    [
        None,
        "news",
        {"source": "news"},
        {"source": 7, "at_us": 1, "interval_us": 1, "slowdowns": 0},
        {"source": "news", "at_us": -1, "interval_us": 1, "slowdowns": 0},
        {"source": "news", "at_us": True, "interval_us": 1, "slowdowns": 0},
        {"source": "news", "at_us": 1.5, "interval_us": 1, "slowdowns": 0},
        {"source": "news", "at_us": 2**60, "interval_us": 1, "slowdowns": 0},
    ],
)
def test_a_forged_header_pays_for_nothing(forged):
    assert slot_of_header(forged) is None
