"""The Lua of the shared store gives, on every history, what the pure functions give."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from django.conf import settings as desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.resilience import BreakerRule, BreakerState, Feedback, Pace, Verdict, breaker, limiter
from apps.resilience.breaker import Tally
from apps.resilience.learning import Learned, Trail
from apps.resilience.limiter import PaceState
from apps.resilience.paced_slot import LATE_US_MAX
from apps.resilience.stores import breaker_scripts, pace_scripts, slot_scripts
from apps.resilience.stores.redis import PACE_FIELDS, as_state
from apps.resilience.windows import MICROSECONDS

START_US = 1_700_000_000 * MICROSECONDS
RULE = BreakerRule(failures=3, open_s=10, probes=2, probe_lease_s=5, window_s=20, calls_min=6, failure_rate=0.4, slow_rate=0.6)
TTL_MS = 60_000


@pytest.fixture(scope="module")
def server() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(desk.KIT_REDIS_URL, decode_responses=True) as client:
        yield client


def timed(script: str) -> str:
    """Return the script with its clock replaced by its last argument, so that histories can be replayed."""
    reading = "local clock = redis.call('TIME')\nlocal now = clock[1] * 1000000 + clock[2]\n"
    assert script.count(reading) == 1
    return script.replace(reading, "local now = tonumber(ARGV[#ARGV])\n")


REDEEM = timed(slot_scripts.REDEEM)
RESERVE, ADAPT = timed(slot_scripts.RESERVE), timed(pace_scripts.ADAPT)
ADMIT, RENEW, REPORT = (timed(script) for script in (breaker_scripts.ADMIT, breaker_scripts.RENEW, breaker_scripts.REPORT))


class Limiters:
    """One limiter twice: pure, and in Lua."""

    def __init__(self, server: redis.Redis, pace: Pace) -> None:
        self.server, self.pace, self.key = server, pace, f"test-{uuid.uuid4().hex}"
        self.state, self.trail, self.now_us = PaceState(), Trail(), START_US

    def reserve(self, count: int, wait_us_max: int) -> None:
        self.state, expected = limiter.reserve(
            self.state, self.pace, self.trail, now_us=self.now_us, wait_us_max=wait_us_max, count=count
        )
        pace = self.pace
        arguments = [pace.interval_us, pace.tolerance_us, wait_us_max, TTL_MS, pace.window_us, count, self.now_us]
        got: Any = self.server.eval(RESERVE, 1, self.key, *arguments)
        times = [round(seconds * MICROSECONDS) for seconds in (expected.wait_s, expected.interval_s, expected.lead_s)]
        assert got == [expected.count, *times, expected.slowdowns]

    def adapt(self, feedback: Feedback, retry_after_s: int | None, successes: int, lag: int | None) -> None:
        slowdowns = None if lag is None else max(0, self.state.slowdowns - lag)
        self.state = limiter.adapt(
            self.state,
            self.pace,
            self.trail,
            feedback,
            now_us=self.now_us,
            retry_after_s=retry_after_s,
            successes=successes,
            slowdowns=slowdowns,
        )
        pause_us = -1 if retry_after_s is None else retry_after_s * MICROSECONDS
        good, known = successes + (feedback is Feedback.SUCCESS), -1 if slowdowns is None else slowdowns
        arguments = [self.pace.interval_us, feedback.value, pause_us, TTL_MS, self.pace.window_us, good, known, self.now_us]
        self.server.eval(ADAPT, 1, self.key, *arguments)
        got: Any = self.server.hmget(self.key, PACE_FIELDS)
        arrival, *figures = [int(float(value or 0)) for value in got]
        assert (arrival, *figures) == flat(self.state)

    def override(self, interval_us: int) -> None:
        self.state = replace(self.state, override_us=interval_us)
        self.server.eval(slot_scripts.OVERRIDE, 1, self.key, interval_us, TTL_MS)

    def redeem(self, age_us: int, lag: int) -> None:
        at_us, slowdowns = self.now_us - age_us, max(0, self.state.slowdowns - lag)
        expected = limiter.is_redeemable(
            self.state, at_us=at_us, slowdowns=slowdowns, now_us=self.now_us, late_us_max=LATE_US_MAX
        )
        assert self.server.eval(REDEEM, 1, self.key, at_us, slowdowns, LATE_US_MAX, self.now_us) == int(expected)


def flat(state: PaceState) -> tuple[int, ...]:
    lessons = tuple(getattr(state.learned, name) for name in Learned.__slots__)
    return (
        state.arrival_us,
        state.interval_us,
        state.successes,
        state.paused_until_us,
        state.slowdowns,
        *lessons,
        state.override_us,
    )


reservations = st.tuples(st.just("reserve"), st.integers(1, 40), st.integers(0, 90 * MICROSECONDS))
answers = st.tuples(
    st.just("adapt"),
    st.sampled_from([*Feedback, Feedback.SUCCESS, Feedback.RATE_LIMIT]),
    st.one_of(st.none(), st.integers(0, 40)),
    st.integers(0, 60),
    st.one_of(st.none(), st.integers(0, 2)),
)
overrides = st.tuples(st.just("override"), st.sampled_from([0, 1, 150_000, 4_000_000, 70_000_000]))
redemptions = st.tuples(st.just("redeem"), st.sampled_from([0, 1, LATE_US_MAX, LATE_US_MAX + 1, 9_000_000]), st.integers(0, 1))
pauses = st.sampled_from([0, 1, 999, MICROSECONDS, 7 * MICROSECONDS, 70 * MICROSECONDS, 700 * MICROSECONDS])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    quota=st.sampled_from([3, 20, 600, 6_000]),
    steps=st.lists(st.tuples(pauses, st.one_of(reservations, answers, overrides, redemptions)), max_size=60),
)
def test_the_limiters_lua_gives_what_the_pure_functions_give(server, quota, steps):
    twins = Limiters(server, Pace.per_minute(quota))
    for pause_us, (verb, *arguments) in steps:
        twins.now_us += pause_us
        getattr(twins, verb)(*arguments)
    server.delete(twins.key)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), hidden=st.sampled_from([5, 20, 50]), factor=st.sampled_from([2, 10]))
def test_both_learn_the_same_from_a_vendor_with_a_hidden_quota(server, seed, hidden, factor):
    twins = Limiters(server, Pace.per_minute(hidden * factor))
    granted_us: list[int] = []
    for step in range(150):
        twins.now_us += (seed * 7919 + step * 104_729) % (90 * MICROSECONDS // hidden)
        twins.reserve(1 + step % 3, 10**9)
        granted_us = [at for at in granted_us if at > twins.now_us - 60 * MICROSECONDS]
        if len(granted_us) < hidden:
            granted_us.append(twins.now_us)
            twins.adapt(Feedback.SUCCESS, None, 2, 0)
        else:
            twins.adapt(Feedback.RATE_LIMIT, None if step % 2 else 1, 0, step % 3)
    assert twins.state.slowdowns > 0
    server.delete(twins.key)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gap_s=st.sampled_from([1, 2, 5, 12]),
    published=st.sampled_from([30, 100, 600]),
    begins_s=st.integers(1, 130),
    again_s=st.integers(60, 400),
    lasts_s=st.integers(1, 30),
    retry_after_s=st.sampled_from([None, 0, 3]),
)
def test_both_get_over_a_fault_in_the_same_way(server, gap_s, published, begins_s, again_s, lasts_s, retry_after_s):
    twins = Limiters(server, Pace.per_minute(published))
    faults_s = [range(begins, begins + lasts_s) for begins in (begins_s, begins_s + lasts_s + again_s)]
    for second in range(0, 1_000, gap_s):
        twins.now_us = START_US + second * MICROSECONDS
        twins.reserve(1, 20 * MICROSECONDS)
        if any(second in fault for fault in faults_s):
            twins.adapt(Feedback.RATE_LIMIT, retry_after_s, 0, 0)
        else:
            twins.adapt(Feedback.SUCCESS, None, 0, 0)
    server.delete(twins.key)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2, 4, 5, 9, 10, 11]),
            st.sampled_from(["admit", "renew", *Verdict]),
            st.integers(0, 4),
            st.booleans(),
            st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 2)),
        ),
        max_size=60,
    )
)
def test_the_breakers_lua_gives_what_the_pure_functions_give(server, steps):
    keys = [f"test-{uuid.uuid4().hex}", f"test-{uuid.uuid4().hex}"]
    state, now_us, tokens = BreakerState(), START_US, ["none"]
    for number, (pause_s, what, which, is_old_news, (calls, failed, slow)) in enumerate(steps):
        now_us += pause_s * MICROSECONDS
        token = tokens[which % len(tokens)]
        if what == "admit":
            tokens = [*tokens[-4:], f"token-{number}"]
            state, expected = breaker.admit(state, RULE, now_us=now_us, token=tokens[-1])
            got: Any = server.eval(ADMIT, 2, *keys, tokens[-1], RULE.probes, RULE.probe_lease_us, TTL_MS, now_us)
            wait_us = round(expected.retry_after_s * MICROSECONDS)
            assert got == [int(expected.allowed), expected.phase.value, expected.generation, wait_us]
            continue
        if what == "renew":
            state = breaker.renew(state, RULE, now_us=now_us, token=token)
            server.eval(RENEW, 2, *keys, token, RULE.probe_lease_us, now_us)
            continue
        tally, generation = Tally(calls, min(calls, failed), min(calls, slow)), state.generation - is_old_news
        state = breaker.report(state, RULE, what, generation=generation, now_us=now_us, token=token, tally=tally, saved=which)
        told = [generation, what.value, token, tally.calls, tally.failed, tally.slow, which]
        limits = [RULE.failures, RULE.open_us, RULE.window_us, RULE.calls_min, RULE.failure_rate, RULE.slow_rate, TTL_MS]
        got = as_state(server.eval(REPORT, 2, *keys, *told, *limits, now_us))
        assert sorted(got.leases) == sorted(state.leases)
        assert (got.phase, got.failures, got.generation, got.until_us) == (
            state.phase, state.failures, state.generation, state.until_us
        )  # fmt: skip
        assert (got.window.total, got.saved, got.seen_us) == (state.window.total, state.saved, now_us)
    server.delete(*keys)
