"""The breaker as a state machine, held against a plain model of what it should know."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from apps.resilience import breaker
from apps.resilience.breaker import (
    MICROSECONDS,
    Admission,
    BreakerPhase,
    BreakerRule,
    BreakerState,
    Tally,
    Verdict,
    key_of,
    renew,
    report,
    reset,
)

RULE = BreakerRule(failures=5, open_s=60.0, probes=2, probe_lease_s=30.0, calls_min=1_000)
WINDOW_RULE = BreakerRule(failures=1_000, window_s=60.0, calls_min=20, failure_rate=0.5, slow_rate=0.8)
tokens = (f"token-{number}" for number in itertools.count())


def admit(state: BreakerState, rule: BreakerRule, *, now_us: int) -> tuple[BreakerState, Admission]:
    return breaker.admit(state, rule, now_us=now_us, token=next(tokens))


def fail(state: BreakerState, times: int, now_us: int = 0) -> BreakerState:
    for _ in range(times):
        state, admission = admit(state, RULE, now_us=now_us)
        state = report(state, RULE, Verdict.FAILURE, generation=admission.generation, now_us=now_us)
    return state


def test_four_failures_leave_it_closed_and_the_fifth_opens_it():
    assert fail(BreakerState(), 4).phase is BreakerPhase.CLOSED
    assert fail(BreakerState(), 5).phase is BreakerPhase.OPEN


def test_a_success_between_failures_starts_the_count_anew():
    state = report(fail(BreakerState(), 4), RULE, Verdict.SUCCESS, generation=0, now_us=0)
    assert fail(state, 4).phase is BreakerPhase.CLOSED


def test_an_open_breaker_refuses_and_says_when_to_come_again():
    _, admission = admit(fail(BreakerState(), 5), RULE, now_us=20 * MICROSECONDS)
    assert (admission.allowed, admission.retry_after_s) == (False, 40.0)


def test_after_sixty_seconds_as_many_probes_go_as_allowed_and_no_more():
    state, now_us = fail(BreakerState(), 5), 60 * MICROSECONDS
    allowed = []
    for _ in range(5):
        state, admission = admit(state, RULE, now_us=now_us)
        allowed.append(admission.allowed)
    assert allowed == [True, True, False, False, False]
    assert state.phase is BreakerPhase.HALF_OPEN


def test_a_good_probe_closes_and_a_bad_one_opens_again():
    half, admission = admit(fail(BreakerState(), 5), RULE, now_us=60 * MICROSECONDS)
    good = report(half, RULE, Verdict.SUCCESS, generation=admission.generation, now_us=60 * MICROSECONDS)
    bad = report(half, RULE, Verdict.FAILURE, generation=admission.generation, now_us=60 * MICROSECONDS)
    assert good.phase is BreakerPhase.CLOSED
    assert (bad.phase, bad.until_us) == (BreakerPhase.OPEN, 120 * MICROSECONDS)


def test_a_probe_that_says_nothing_gives_its_place_back():
    half, admission = admit(fail(BreakerState(), 5), RULE, now_us=60 * MICROSECONDS)
    now_us = 60 * MICROSECONDS
    after = report(half, RULE, Verdict.NEUTRAL, generation=admission.generation, now_us=now_us, token=admission.token)
    assert (half.probes, after.probes, after.phase) == (1, 0, BreakerPhase.HALF_OPEN)


def test_the_place_of_a_prober_that_died_comes_back_alone_when_its_lease_ends():
    state, now_us = fail(BreakerState(), 5), 60 * MICROSECONDS
    state, first = admit(state, RULE, now_us=now_us)
    state, second = admit(state, RULE, now_us=now_us + 10 * MICROSECONDS)
    _, early = admit(state, RULE, now_us=now_us + RULE.probe_lease_us - 1)
    state, late = admit(state, RULE, now_us=now_us + RULE.probe_lease_us)
    assert (early.allowed, early.retry_after_s, late.allowed) == (False, 1e-06, True)
    assert [token for token, _ in state.leases] == [second.token, late.token]
    assert first.token not in (second.token, late.token)


def test_a_prober_that_lives_keeps_its_place_and_one_that_lost_it_does_not_get_it_back():
    state, admission = admit(fail(BreakerState(), 5), RULE, now_us=60 * MICROSECONDS)
    kept = renew(state, RULE, now_us=80 * MICROSECONDS, token=admission.token)
    late = renew(state, RULE, now_us=90 * MICROSECONDS, token=admission.token)
    assert kept.leases == ((admission.token, 110 * MICROSECONDS),)
    assert late == state


def windowed(good: int, bad: int = 0, slow: int = 0, *, state: BreakerState | None = None, at_s: int = 0) -> BreakerState:
    tally = Tally(calls=good + bad, failed=bad, slow=slow)
    now_us = (1_000_000 + at_s) * MICROSECONDS
    return report(state or BreakerState(), WINDOW_RULE, Verdict.NEUTRAL, generation=0, now_us=now_us, tally=tally)


@pytest.mark.parametrize(
    ("good", "bad", "slow", "phase"),
    [
        (9, 10, 0, BreakerPhase.CLOSED),  # bad enough, but too few to judge
        (10, 10, 0, BreakerPhase.OPEN),
        (11, 10, 0, BreakerPhase.CLOSED),
        (20, 0, 15, BreakerPhase.CLOSED),
        (20, 0, 16, BreakerPhase.OPEN),
        (19, 0, 19, BreakerPhase.CLOSED),
    ],
)
def test_a_window_opens_it_by_its_rates_once_it_holds_enough_calls(good, bad, slow, phase):
    assert windowed(good, bad, slow).phase is phase


def test_the_window_forgets_what_is_older_than_itself():
    old = windowed(10, 9)
    assert windowed(0, 1, state=old, at_s=53).phase is BreakerPhase.OPEN
    later = windowed(0, 1, state=old, at_s=61)
    assert (later.phase, later.window.total) == (BreakerPhase.CLOSED, Tally(calls=1, failed=1))


def test_calls_refused_are_counted_through_every_change_and_a_reset():
    opened = fail(BreakerState(), 5)
    counted = report(opened, RULE, Verdict.NEUTRAL, generation=opened.generation, now_us=0, saved=7)
    half, admission = admit(counted, RULE, now_us=60 * MICROSECONDS)
    closed = report(half, RULE, Verdict.SUCCESS, generation=admission.generation, now_us=60 * MICROSECONDS, saved=2)
    assert (counted.saved, half.saved, closed.saved, reset(closed).saved) == (7, 7, 9, 9)


def test_a_key_names_a_host_or_one_of_its_operations():
    assert (key_of("API.Example.com"), key_of("api.example.com", "markets")) == ("api.example.com", "api.example.com/markets")


def test_news_of_an_earlier_generation_changes_nothing():
    half, _ = admit(fail(BreakerState(), 5), RULE, now_us=60 * MICROSECONDS)
    assert report(half, RULE, Verdict.SUCCESS, generation=0, now_us=60 * MICROSECONDS) == half


def test_a_reset_closes_it_and_makes_calls_on_their_way_old_news():
    opened = fail(BreakerState(), 5)
    closed = reset(opened)
    assert closed.phase is BreakerPhase.CLOSED
    assert report(closed, RULE, Verdict.FAILURE, generation=opened.generation, now_us=0) == closed


class BreakerMachine(RuleBasedStateMachine):
    """Calls come, finish in any order with any verdict, and time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.now_us = BreakerState(), 0
        self.on_their_way: list[Admission] = []
        self.failures_in_a_row = 0
        self.opened_us: int | None = None

    @rule()
    def a_call_comes(self) -> None:
        before = self.state
        self.state, admission = admit(before, RULE, now_us=self.now_us)
        if before.phase is BreakerPhase.OPEN and self.now_us < before.until_us:
            assert not admission.allowed
            assert self.state == before
        if before.phase is BreakerPhase.CLOSED:
            assert admission.allowed
        if admission.allowed:
            self.on_their_way.append(admission)

    @rule(verdict=st.sampled_from(list(Verdict)), which=st.integers(0, 50))
    def a_call_ends(self, verdict: Verdict, which: int) -> None:
        if not self.on_their_way:
            return
        call = self.on_their_way.pop(which % len(self.on_their_way))
        generation = call.generation
        before = self.state
        self.state = report(before, RULE, verdict, generation=generation, now_us=self.now_us, token=call.token)
        if generation != before.generation:
            assert replace(self.state, leases=()) == replace(before, leases=())
        elif before.phase is BreakerPhase.CLOSED:
            self._count(verdict)

    def _count(self, verdict: Verdict) -> None:
        if verdict is Verdict.FAILURE:
            self.failures_in_a_row += 1
        elif verdict is Verdict.SUCCESS:
            self.failures_in_a_row = 0
        assert (self.state.phase is BreakerPhase.OPEN) == (self.failures_in_a_row == RULE.failures)

    @rule(seconds=st.sampled_from([1, 29, 30, 59, 60, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now_us += seconds * MICROSECONDS

    @invariant()
    def it_is_never_out_of_its_bounds(self) -> None:
        assert 0 <= self.state.probes <= RULE.probes
        assert 0 <= self.state.failures <= RULE.failures
        if self.state.phase is not BreakerPhase.CLOSED:
            self.failures_in_a_row = 0
        if self.state.phase is BreakerPhase.CLOSED:
            assert self.state.failures == self.failures_in_a_row


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase
