"""The layers in their order, with a clock that jumps and a transport that follows a script."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.resilience import BreakerPhase, BreakerRule, Feedback, MemoryStore, Pace, Policy, Request, RetryRule, Verdict
from apps.resilience.errors import BadBody, BreakerOpen, HttpStatus, KitError, PaceExceeded, StoreUnavailable, TimedOut
from apps.resilience.exchange import Answer
from apps.resilience.hooks import AttemptFinished, BreakerChanged, Event, RetryScheduled, StoreFellBack
from apps.resilience.layers import Layers
from apps.resilience.stores.fallback import FallbackStore
from apps.resilience.testing import FakeClock, no_waiting
from apps.resilience.verdicts import feedback_on, verdict_on

ASK = Request(operation="ask", url="https://example.com/")


class Desk:
    """Layers over a scripted transport; a script's last line is repeated for ever."""

    def __init__(self, *script: KitError | bytes, **policy: Any) -> None:
        self.script = list(script)
        self.sent_at_s: list[float] = []
        self.events: list[Event] = []
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.policy = Policy(key="vendor", **policy)
        self.layers = Layers(transport=self, store=self.store, clock=self.clock, hooks=[self.hear], draw=lambda: 0.5)

    def hear(self, event: Event) -> None:
        self.events.append(event)

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        self.sent_at_s.append(self.clock.now_s() - 1_700_000_000.0)
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(line, KitError):
            raise line
        return Answer(status=200, headers={}, body=line, received_at_s=self.clock.now_s())

    async def close(self) -> None:
        self.script.clear()

    def send(self, request: Request = ASK):
        return asyncio.run(self.layers.send(request, self.policy))

    def fail(self, request: Request = ASK) -> KitError:
        with pytest.raises(KitError) as caught:
            self.send(request)
        return caught.value


def test_a_good_answer_comes_through_with_its_journey():
    desk = Desk(b"yes")
    response = desk.send()
    assert (response.body, response.journey.attempts, response.journey.wait_s) == (b"yes", 1, 0.0)
    assert desk.events == [
        AttemptFinished(
            key="vendor", operation="ask", attempt=1, outcome="ok", status=200, duration_s=0.0, wait_s=0.0, size_bytes=3
        )
    ]


def test_a_passing_fault_is_repeated_after_jittered_delays():
    desk = Desk(TimedOut(), HttpStatus(502), b"yes")
    assert desk.send().journey.attempts == 3
    assert desk.sent_at_s == [0.0, 1.0, 3.0]
    assert [event.delay_s for event in desk.events if isinstance(event, RetryScheduled)] == [1.0, 2.0]


def test_a_lasting_fault_is_raised_at_once_with_its_journey():
    desk = Desk(HttpStatus(404))
    error = desk.fail()
    assert isinstance(error, HttpStatus)
    assert error.journey is not None
    assert error.journey.attempts == 1
    assert len(desk.sent_at_s) == 1


def test_what_must_not_be_sent_twice_is_sent_once():
    desk = Desk(TimedOut())
    desk.fail(Request(operation="order", url="https://example.com/", repeatable=False))
    assert len(desk.sent_at_s) == 1


def test_the_deadline_covers_the_repeats_too():
    desk = Desk(TimedOut(), deadline_s=2.5)
    desk.fail()
    assert desk.sent_at_s == [0.0, 1.0]


def test_five_failures_open_the_breaker_and_then_nothing_is_sent():
    desk = Desk(TimedOut(), retry=RetryRule(delays_s=()))
    for _ in range(5):
        desk.fail()
    error = desk.fail()
    assert isinstance(error, BreakerOpen)
    assert error.retry_after_s == 60.0
    assert len(desk.sent_at_s) == 5
    assert [event.phase for event in desk.events if isinstance(event, BreakerChanged)] == [BreakerPhase.OPEN]


def test_a_repeat_asks_the_breaker_again():
    desk = Desk(TimedOut(), breaker=BreakerRule(failures=2))
    assert isinstance(desk.fail(), BreakerOpen)
    assert len(desk.sent_at_s) == 2


def test_a_good_probe_closes_the_breaker_again():
    desk = Desk(*[TimedOut()] * 5, b"yes", retry=RetryRule(delays_s=()))
    for _ in range(5):
        desk.fail()
    desk.clock.advance(60)
    assert desk.send().journey.phase is BreakerPhase.HALF_OPEN
    assert desk.send().journey.phase is BreakerPhase.CLOSED


def test_callers_are_spaced_by_the_limiter_and_the_wait_is_told():
    desk = Desk(b"yes", pace=Pace(interval_us=2_000_000))
    waits = [desk.send().journey.wait_s for _ in range(3)]
    assert desk.sent_at_s == [0.0, 2.0, 4.0]
    assert waits == [0.0, 2.0, 2.0]


def test_a_slot_beyond_the_deadline_is_refused_and_leaves_no_trace_in_the_breaker():
    desk = Desk(b"yes", pace=Pace(interval_us=50_000_000), deadline_s=10)
    desk.send()
    error = desk.fail()
    assert isinstance(error, PaceExceeded)
    assert error.retry_after_s == 50.0
    assert asyncio.run(desk.store.look_breaker("vendor")).failures == 0


def test_a_rate_limit_with_retry_after_pauses_the_next_caller_too():
    desk = Desk(HttpStatus(429, retry_after_s=7), b"yes", pace=Pace(interval_us=1), retry=RetryRule(delays_s=()))
    desk.fail()
    desk.send()
    assert desk.sent_at_s == [0.0, 7.0]


def test_an_attempt_that_is_broken_off_gives_its_probe_back():
    async def scene():
        desk = Desk(b"yes")

        class Forever(Desk):
            async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
                await asyncio.Event().wait()
                raise AssertionError

        layers = Layers(transport=Forever(b"never"), store=desk.store, clock=desk.clock)
        task = asyncio.create_task(layers.send(ASK, Policy(key="vendor", breaker=BreakerRule(failures=1, open_s=0))))
        admission = await desk.store.admit("vendor", BreakerRule(failures=1, open_s=0))
        await desk.store.report("vendor", BreakerRule(failures=1, open_s=0), Verdict.FAILURE, generation=admission.generation)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await desk.store.look_breaker("vendor")

    assert asyncio.run(scene()).probes == 0


@pytest.mark.parametrize(
    ("error", "verdict", "feedback"),
    [
        (HttpStatus(404), Verdict.SUCCESS, Feedback.SUCCESS),
        (HttpStatus(429), Verdict.NEUTRAL, Feedback.RATE_LIMIT),
        (HttpStatus(503), Verdict.FAILURE, Feedback.ERROR),
        (HttpStatus(503, retry_after_s=3), Verdict.FAILURE, Feedback.RATE_LIMIT),
        (TimedOut(), Verdict.FAILURE, Feedback.ERROR),
        (BadBody(), Verdict.FAILURE, Feedback.ERROR),
        (PaceExceeded(), Verdict.NEUTRAL, None),
        (StoreUnavailable(), Verdict.NEUTRAL, None),
    ],
)
def test_what_a_failure_says_about_health_and_pace(error, verdict, feedback):
    assert (verdict_on(error), feedback_on(error)) == (verdict, feedback)


class GoneStore(MemoryStore):
    """A store that cannot be reached."""

    asked = 0

    async def admit(self, key, rule):
        self.asked += 1
        raise StoreUnavailable

    async def reserve(self, key, pace, *, wait_s_max, count=1):
        self.asked += 1
        raise StoreUnavailable


def test_when_the_shared_store_is_gone_the_spare_answers_and_it_is_counted():
    clock = FakeClock()
    events: list[Event] = []

    def hear(event: Event) -> None:
        events.append(event)

    gone = GoneStore(clock)
    store = FallbackStore(gone, MemoryStore(clock), clock=clock, hooks=[hear])
    for _ in range(3):
        assert asyncio.run(store.admit("vendor", BreakerRule())).allowed
    assert (store.fallbacks, gone.asked) == (3, 1)
    assert events == [StoreFellBack(verb="admit", count=count) for count in (1, 2, 3)]
    clock.advance(1.0)
    asyncio.run(store.reserve("vendor", Pace(interval_us=1), wait_s_max=1))
    assert gone.asked == 2


def test_no_waiting_returns_from_every_sleep_at_once():
    from apps.resilience import SystemClock

    with no_waiting() as asked_s:
        asyncio.run(SystemClock().sleep_s(3600))
    assert asked_s == [3600]


def test_a_fake_clock_does_not_go_back():
    with pytest.raises(ValueError, match="back"):
        FakeClock().advance(-1)
