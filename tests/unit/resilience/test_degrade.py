"""Several sources for one thing: first in turn, hedged, or all at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from apps.resilience import AllSourcesFailed, ConnectionFailed, HttpStatus, TimedOut
from apps.resilience.degrade import SourceState, multi_source_fetch

ANSWERED, FAILED, CUT_SHORT, NOT_ASKED = SourceState


class Source:
    """Answers, fails, or hangs; keeps count."""

    def __init__(self, answer=None, *, after_s: float = 0.0, stubborn: bool = False) -> None:
        self.answer = answer
        self.after_s = after_s
        self.stubborn = stubborn
        self.calls = 0
        self.was_cancelled = False

    async def __call__(self):
        self.calls += 1
        try:
            await asyncio.sleep(self.after_s)
        except asyncio.CancelledError:
            self.was_cancelled = True
            if not self.stubborn:
                raise
            await asyncio.sleep(30)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def fetch(sources, **options):
    return asyncio.run(multi_source_fetch(sources, **options))


def states(outcome):
    return [part.state for part in outcome.outcomes.values()]


def test_the_first_that_answers_is_used_and_the_rest_not_asked():
    sources = {"a": Source(1), "b": Source(2)}
    outcome = fetch(sources)
    assert (outcome.value, outcome.used, states(outcome)) == (1, ("a",), [ANSWERED, NOT_ASKED])
    assert (sources["b"].calls, outcome.is_degraded) == (0, False)


def test_the_next_is_asked_when_one_fails():
    events: list[Any] = []
    error = ConnectionFailed("away")
    outcome = fetch({"a": Source(error), "b": Source(KeyError("x")), "c": Source(3), "d": Source(4)}, hooks=[events.append])
    assert (outcome.value, states(outcome)) == (3, [FAILED, FAILED, ANSWERED, NOT_ASKED])
    assert outcome.failures["a"] is error
    assert set(outcome.failures) == {"a", "b"}
    assert outcome.is_degraded
    assert [(event.source, event.state) for event in events] == [("a", "failed"), ("b", "failed"), ("c", "answered")]
    assert events[0].reason == "ConnectionFailed: away"


def test_when_nobody_answers_every_failure_is_named():
    sources = {
        "a": Source(HttpStatus(429, retry_after_s=9)),
        "b": Source(HttpStatus(503, retry_after_s=4)),
        "c": Source(ValueError("odd")),
    }
    for mode in ("first", "all"):
        with pytest.raises(AllSourcesFailed, match=r"a: HttpStatus: HTTP status 429; b: .*503; c: ValueError: odd") as caught:
            fetch(sources, mode=mode)
        assert list(caught.value.failures) == ["a", "b", "c"]
        assert (caught.value.transient, caught.value.retry_after_s) == (True, 4)


def test_without_sources_nothing_can_answer():
    with pytest.raises(AllSourcesFailed, match="no source to ask") as caught:
        fetch({})
    assert (caught.value.transient, dict(caught.value.failures)) == (False, {})


@pytest.mark.parametrize("mode", ["first", "all"])
@pytest.mark.parametrize("stubborn", [False, True])
def test_a_source_that_hangs_costs_its_timeout_and_no_more(mode, stubborn):
    hanging = Source(1, after_s=60, stubborn=stubborn)

    async def scene():
        started_s = time.monotonic()
        outcome = await multi_source_fetch({"a": hanging, "b": Source(2)}, mode=mode, timeout_s=0.1)
        return outcome, time.monotonic() - started_s

    outcome, took_s = asyncio.run(scene())
    assert (outcome.value, states(outcome)) == (2, [FAILED, ANSWERED])
    assert isinstance(outcome.failures["a"], TimedOut)
    assert outcome.outcomes["a"].duration_s == pytest.approx(took_s, abs=0.5)
    assert took_s < 2
    assert hanging.was_cancelled


def test_all_at_once_gives_every_answer_and_names_what_failed():
    sources = {"a": Source(1, after_s=0.02), "b": Source(OSError("x")), "c": Source(None)}
    outcome = fetch(sources, mode="all")
    assert dict(outcome.values) == {"a": 1, "c": None}
    assert (outcome.used, states(outcome)) == (("a", "c"), [ANSWERED, FAILED, ANSWERED])
    assert outcome.outcomes["a"].duration_s > 0


def test_all_at_once_is_at_once():
    async def scene():
        started_s = time.monotonic()
        await multi_source_fetch({str(n): Source(n, after_s=0.2) for n in range(20)}, mode="all")
        return time.monotonic() - started_s

    assert asyncio.run(scene()) < 2.0, "twenty times 0.2 s one after the other would be 4 s"


def test_a_late_first_is_hedged_and_cut_short():
    slow = Source(1, after_s=60)
    outcome = fetch({"a": slow, "b": Source(2), "c": Source(3)}, hedge_s=0.02)
    assert (outcome.value, outcome.used, states(outcome)) == (2, ("b",), [CUT_SHORT, ANSWERED, NOT_ASKED])
    assert slow.was_cancelled
    assert not outcome.is_degraded, "being slow is no failure"


def test_a_hedge_that_fails_leaves_the_first_its_time():
    outcome = fetch({"a": Source(1, after_s=0.1), "b": Source(OSError())}, hedge_s=0.01)
    assert (outcome.value, outcome.used, states(outcome)) == (1, ("a",), [ANSWERED, FAILED])


def test_of_two_that_answer_together_the_earlier_in_line_is_used():
    outcome = fetch({"a": Source(1, after_s=0.05), "b": Source(2, after_s=0.0)}, hedge_s=0.05)
    assert outcome.used == ("a",) or states(outcome)[0] is CUT_SHORT
    assert len(outcome.used) == 1


def test_cancelling_the_caller_cancels_what_is_being_asked():
    source = Source(1, after_s=60)

    async def scene():
        task = asyncio.ensure_future(multi_source_fetch({"a": source}))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks())

    assert asyncio.run(scene()) == 1
    assert source.was_cancelled


def test_a_source_that_cancels_itself_has_failed():
    outcome = fetch({"a": Source(asyncio.CancelledError()), "b": Source(2)})
    assert (outcome.value, states(outcome)) == (2, [FAILED, ANSWERED])


def test_nothing_is_left_behind_and_nothing_complains():
    complaints = []

    async def scene():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        for _ in range(50):
            await multi_source_fetch(
                {"a": Source(1), "b": Source(OSError()), "c": Source(3, after_s=60)}, mode="first", hedge_s=0
            )
        await asyncio.sleep(0.01)
        return len(asyncio.all_tasks())

    assert asyncio.run(scene()) == 1
    assert complaints == []
