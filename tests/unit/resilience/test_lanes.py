"""What calls share, how finely breakers are told apart, and that a slow vendor sinks nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.resilience import (
    NO_RETRY,
    BreakerOpen,
    BreakerRule,
    Client,
    Event,
    HttpStatus,
    KitError,
    MemoryStore,
    Pace,
    Policy,
    Request,
    RetryRule,
    TimedOut,
)
from apps.resilience.bulkhead import BulkheadRule
from apps.resilience.clock import SystemClock
from apps.resilience.errors import BulkheadFull
from apps.resilience.exchange import Answer
from apps.resilience.hooks import BulkheadWaited
from apps.resilience.lanes import Lanes
from apps.resilience.policy import Grain
from apps.resilience.testing import FakeClock, ScriptedUpstream


def lanes() -> Lanes:
    return Lanes(MemoryStore(), SystemClock(), ())


def test_equal_policies_share_a_lane_and_other_deadlines_share_its_parts():
    all_lanes = lanes()
    first = all_lanes.of(Policy(key="vendor", pace=Pace.per_minute(60)))
    again = all_lanes.of(Policy(key="vendor", pace=Pace.per_minute(60)))
    patient = all_lanes.of(Policy(key="vendor", pace=Pace.per_minute(60), deadline_s=120))
    assert again is first
    assert patient is not first
    assert (patient.limiter, patient.breaker, patient.bulkhead, patient.budget) == (
        first.limiter,
        first.breaker,
        first.bulkhead,
        first.budget,
    )
    assert patient.limiter is first.limiter


def test_other_rules_or_keys_have_parts_of_their_own():
    all_lanes = lanes()
    first = all_lanes.of(Policy(key="vendor"))
    other_rule = all_lanes.of(Policy(key="vendor", breaker=BreakerRule(failures=1), retry=RetryRule(share=0.2)))
    other_key = all_lanes.of(Policy(key="other"))
    assert first.breaker is not other_rule.breaker
    assert first.budget is not other_rule.budget
    assert first.bulkhead is other_rule.bulkhead
    assert first.bulkhead is not other_key.bulkhead


def test_lanes_do_not_grow_without_end_and_keep_their_parts():
    all_lanes = lanes()
    bulkheads = {id(all_lanes.of(Policy(key="vendor", deadline_s=number)).bulkhead) for number in range(1, 2_501)}
    assert len(bulkheads) == 1
    assert len(all_lanes._lanes) <= 1_000


def sick_at(word: str):
    def answer(request: Request) -> Answer | KitError:
        is_sick = word in request.url or word in request.operation
        return TimedOut() if is_sick else Answer(status=200, headers={}, body=b"", received_at_s=0.0)

    return answer


@pytest.mark.parametrize(
    ("grain", "ends"),
    [
        (Grain.KEY, ["breaker-open", "breaker-open", "breaker-open"]),
        (Grain.HOST, ["breaker-open", "breaker-open", "timed-out"]),
        (Grain.OPERATION, ["breaker-open", "ok", "breaker-open"]),
    ],
)
def test_a_breaker_watches_over_the_key_the_host_or_the_operation(grain, ends):
    upstream = ScriptedUpstream(sick_at("sick"))
    client = Client(store=MemoryStore(), transport=upstream)
    policy = Policy(key="vendor", grain=grain, breaker=BreakerRule(failures=3), retry=NO_RETRY)

    async def end_of(operation: str, host: str) -> str:
        try:
            await client.send(Request(operation=operation, url=f"https://{host}.example/"), policy)
        except KitError as error:
            return error.code
        return "ok"

    async def scene() -> list[str]:
        for _ in range(3):
            assert await end_of("sick-prices", "a") == "timed-out"
        upstream.requests.clear()
        return [await end_of("sick-prices", "a"), await end_of("books", "a"), await end_of("sick-prices", "b")]

    assert asyncio.run(scene()) == ends


@pytest.mark.parametrize("grain", list(Grain))
def test_a_reset_by_hand_is_seen_by_the_next_call(grain):
    upstream = ScriptedUpstream(TimedOut(), TimedOut(), b"well")
    client = Client(store=MemoryStore(), transport=upstream)
    policy = Policy(key="Vendor", grain=grain, breaker=BreakerRule(failures=2), retry=NO_RETRY)
    request = Request(operation="ask", url="https://v.example/")

    async def scene() -> bytes:
        for error in (TimedOut, TimedOut, BreakerOpen):
            with pytest.raises(error):
                await client.send(request, policy)
        await client.reset("Vendor")
        return (await client.send(request, policy)).body

    assert asyncio.run(scene()) == b"well"


class Hanging:
    """One key hangs until the end; the others answer at once."""

    def __init__(self) -> None:
        self.hanging = 0
        self.bell = asyncio.Event()

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        if policy.key == "slow":
            self.hanging += 1
            await self.bell.wait()
        return Answer(status=200, headers={}, body=b"", received_at_s=0.0)

    async def close(self) -> None:
        self.bell.set()


def test_a_vendor_that_hangs_holds_its_share_of_places_and_the_others_do_not_notice():
    async def scene() -> tuple[int, list[int], list[Any]]:
        events: list[Event] = []
        hanging = Hanging()
        client = Client(store=MemoryStore(), transport=hanging, hooks=(events.append,))
        rule = BulkheadRule(concurrent=4, queued=3, wait_s=0.05)
        slow = [
            asyncio.create_task(
                client.send(Request(operation="x", url="https://slow.example/"), Policy(key="slow", bulkhead=rule))
            )
            for _ in range(10)
        ]
        await asyncio.sleep(0.01)
        well = [await client.send(Request(operation="x", url="https://well.example/"), Policy(key="well")) for _ in range(50)]
        await asyncio.sleep(0.1)
        await client.close()
        ends = await asyncio.gather(*slow, return_exceptions=True)
        waited = [event for event in events if isinstance(event, BulkheadWaited)]
        assert [event.is_refused for event in waited] == [True] * 6
        return hanging.hanging, [response.status for response in well], [type(end) for end in ends if isinstance(end, Exception)]

    hanging, statuses, ends = asyncio.run(scene())
    assert (hanging, statuses) == (4, [200] * 50)
    assert ends == [BulkheadFull] * 6


def test_a_full_bulkhead_says_nothing_about_health_or_pace():
    async def scene() -> tuple[int, int]:
        store = MemoryStore()
        hanging = Hanging()
        client = Client(store=store, transport=hanging)
        rule = BulkheadRule(concurrent=1, queued=0)
        policy = Policy(key="slow", bulkhead=rule, pace=Pace.per_minute(60_000, burst=100), retry=NO_RETRY)
        request = Request(operation="x", url="https://slow.example/")
        first = asyncio.create_task(client.send(request, policy))
        await asyncio.sleep(0.01)
        for _ in range(10):
            with pytest.raises(BulkheadFull):
                await client.send(request, policy)
        await client.close()
        await first
        return (await store.look_breaker("slow")).failures, (await store.look_pace("slow")).interval_us

    failures, interval_us = asyncio.run(scene())
    assert failures == 0
    assert interval_us in (0, Pace.per_minute(60_000, burst=100).interval_us)


def test_a_script_is_followed_by_path_and_its_last_line_repeated():
    clock = FakeClock()
    upstream = ScriptedUpstream(b"other", by_path={"/a": [b"one", HttpStatus(404)]}, clock=clock, latency_s=2)
    client = Client(store=MemoryStore(clock), clock=clock, transport=upstream)
    policy = Policy(key="vendor", retry=NO_RETRY, deadline_s=5)

    async def scene() -> list[Any]:
        ends: list[Any] = []
        for path in ("a", "a", "a", "b"):
            try:
                ends.append((await client.send(Request(operation="x", url=f"https://v.example/{path}?q=1"), policy)).body)
            except HttpStatus as error:
                ends.append(error.status)
        return ends

    assert asyncio.run(scene()) == [b"one", 404, 404, b"other"]
    assert clock.slept_s == [2, 2, 2, 2]
    assert [request.url[-5:] for request in upstream.requests] == ["a?q=1", "a?q=1", "a?q=1", "b?q=1"]
    with pytest.raises(TimedOut):
        asyncio.run(client.send(Request(operation="x", url="https://v.example/b"), Policy(key="v", retry=NO_RETRY, deadline_s=1)))


def test_the_scripted_side_can_open_a_breaker_like_a_real_one():
    client = Client(store=MemoryStore(), transport=ScriptedUpstream(HttpStatus(503)))
    outcomes = asyncio.run(
        client.fetch_batch([f"https://v.example/{n}" for n in range(9)], Policy(key="v", retry=NO_RETRY), concurrency=1)
    )
    assert [type(outcome) for outcome in outcomes] == [HttpStatus] * 5 + [BreakerOpen] * 4
