"""The limiter's arithmetic: the quota holds whatever happens, and the pace adapts as written."""

from __future__ import annotations

import bisect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.resilience import limiter
from apps.resilience.learning import Trail
from apps.resilience.limiter import SLOWEST_FACTOR, Feedback, Pace, PaceState, Reservation, reset
from apps.resilience.windows import MICROSECONDS

MINUTE_US = 60 * MICROSECONDS
NO_LIMIT_US = 10**15


def reserve(state: PaceState, pace: Pace, *, now_us: int, wait_us_max: int, count: int = 1) -> tuple[PaceState, Reservation]:
    return limiter.reserve(state, pace, Trail(), now_us=now_us, wait_us_max=wait_us_max, count=count)


def adapt(state: PaceState, pace: Pace, feedback: Feedback, *, now_us: int, **known) -> PaceState:
    return limiter.adapt(state, pace, Trail(), feedback, now_us=now_us, **known)


def most_in_a_minute(starts_us: list[int]) -> int:
    """Return the most starts that any window of a minute holds, its end not counted."""
    ordered = sorted(starts_us)
    return max(bisect.bisect_left(ordered, start + MINUTE_US) - index for index, start in enumerate(ordered))


@settings(max_examples=200, deadline=None)
@given(
    quota=st.integers(1, 400),
    burst=st.one_of(st.none(), st.integers(1, 400)),
    steps=st.lists(
        st.tuples(st.integers(0, 3 * MICROSECONDS), st.integers(1, 60), st.sampled_from([None, *Feedback]), st.integers(0, 5)),
        min_size=1,
        max_size=40,
    ),
)
def test_no_window_of_a_minute_ever_holds_more_than_the_quota(quota, burst, steps):
    pace, state, now_us, starts = Pace.per_minute(quota, burst=burst), PaceState(), 1_700_000_000 * MICROSECONDS, []
    for pause_us, callers, feedback, retry_after_s in steps:
        now_us += pause_us
        for _ in range(callers):
            state, reservation = reserve(state, pace, now_us=now_us, wait_us_max=NO_LIMIT_US)
            starts.append(now_us + round(reservation.wait_s * MICROSECONDS))
        if feedback is not None:
            state = adapt(state, pace, feedback, now_us=now_us, retry_after_s=retry_after_s or None)
    assert most_in_a_minute(starts) <= quota
    assert starts == sorted(starts)


@given(quota=st.integers(1, 5_000), burst=st.one_of(st.none(), st.integers(-3, 6_000)))
def test_a_burst_and_the_steady_flow_share_the_quota(quota, burst):
    pace = Pace.per_minute(quota, burst=burst)
    assert 1 <= pace.burst <= quota
    assert pace.burst - 1 + -(-MINUTE_US // pace.interval_us) <= quota


@settings(max_examples=200, deadline=None)
@given(
    quota=st.integers(1, 200),
    burst=st.integers(1, 50),
    taken=st.integers(0, 60),
    pause_us=st.integers(0, 40 * MICROSECONDS),
    wait_us_max=st.integers(0, 90 * MICROSECONDS),
    count=st.integers(1, 120),
)
def test_a_batch_takes_the_very_slots_that_calls_one_by_one_would_take(quota, burst, taken, pause_us, wait_us_max, count):
    pace, before = Pace.per_minute(quota, burst=burst), PaceState()
    for _ in range(taken):
        before, _ = reserve(before, pace, now_us=0, wait_us_max=NO_LIMIT_US)
    after, waits = before, []
    for _ in range(count):
        after, single = reserve(after, pace, now_us=pause_us, wait_us_max=wait_us_max)
        waits += [round(single.wait_s * MICROSECONDS)] if single.granted else []
    batched, batch = reserve(before, pace, now_us=pause_us, wait_us_max=wait_us_max, count=count)
    assert batch.count == len(waits)
    assert [round(batch.wait_of_s(index) * MICROSECONDS) for index in range(batch.count)] == waits
    assert batched == after


@given(quota=st.integers(1, 3_000), burst=st.one_of(st.none(), st.integers(1, 400)), processes=st.integers(1, 64))
def test_the_shares_of_processes_that_cannot_see_each_other_keep_the_quota_together(quota, burst, processes):
    pace = Pace.per_minute(quota, burst=burst)
    share = pace.divided(processes)
    if share.interval_us >= MINUTE_US:  # fewer slots than processes: one slot each in several minutes
        assert processes * MINUTE_US / share.interval_us <= pace.quota <= quota
    else:
        assert share.quota * processes <= pace.quota <= quota


def test_a_pace_may_be_stated_for_another_time_than_a_minute():
    pace = Pace.of(20, per_s=2, burst=1)
    assert (pace.interval_us, pace.window_us, pace.quota) == (100_000, 2 * MICROSECONDS, 20)


def test_refusals_of_calls_let_go_before_the_latest_slowdown_count_once():
    pace = Pace(interval_us=1_000)
    once = adapt(PaceState(), pace, Feedback.RATE_LIMIT, now_us=0, slowdowns=0)
    echo = adapt(once, pace, Feedback.RATE_LIMIT, now_us=0, slowdowns=0)
    news = adapt(once, pace, Feedback.RATE_LIMIT, now_us=0, slowdowns=1)
    assert (once.interval_us, echo.interval_us, news.interval_us) == (2_000, 2_000, 4_000)
    assert (once.slowdowns, echo.slowdowns, news.slowdowns) == (1, 1, 2)


def test_a_reset_forgets_everything_but_the_slots_that_were_taken():
    pace, trail = Pace(interval_us=1_000), Trail()
    state, _ = limiter.reserve(PaceState(), pace, trail, now_us=MINUTE_US, wait_us_max=0)
    slow = limiter.adapt(state, pace, trail, Feedback.RATE_LIMIT, now_us=MINUTE_US, retry_after_s=9.0)
    fresh = reset(slow)
    assert fresh == PaceState(arrival_us=state.arrival_us, slowdowns=1)


def test_a_quota_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Pace.per_minute(0)


def test_a_full_minute_of_demand_is_served_up_to_the_quota_and_no_further():
    pace, state, within = Pace.per_minute(60, burst=1), PaceState(), 0
    for _ in range(100):
        state, reservation = reserve(state, pace, now_us=MINUTE_US, wait_us_max=MINUTE_US - 1)
        within += reservation.granted
    assert within == 60


def test_a_slot_beyond_the_longest_wait_is_not_taken():
    pace = Pace(interval_us=MICROSECONDS)
    state, first = reserve(PaceState(), pace, now_us=0, wait_us_max=0)
    same, second = reserve(state, pace, now_us=0, wait_us_max=999_999)
    assert (first.granted, first.wait_s) == (True, 0.0)
    assert (second.granted, second.wait_s) == (False, 1.0)
    assert same == state


def test_ten_successes_speed_up_by_a_tenth_but_never_beyond_the_published_pace():
    pace, state = Pace(interval_us=1_000), PaceState(interval_us=1_050)
    for _ in range(9):
        state = adapt(state, pace, Feedback.SUCCESS, now_us=0)
    assert (state.interval_us, state.successes) == (1_050, 9)
    state = adapt(state, pace, Feedback.SUCCESS, now_us=0)
    assert (state.interval_us, state.successes) == (1_000, 0)


def test_a_rate_limit_answer_doubles_the_interval_and_an_error_stretches_it_by_a_half():
    pace = Pace(interval_us=1_000)
    state = adapt(PaceState(successes=7), pace, Feedback.RATE_LIMIT, now_us=0)
    assert (state.interval_us, state.successes) == (2_000, 0)
    assert adapt(state, pace, Feedback.ERROR, now_us=0).interval_us == 3_000


def test_however_many_errors_make_no_more_than_four_intervals_of_one():
    pace, state = Pace(interval_us=1_000), PaceState()
    for _ in range(20):
        state = adapt(state, pace, Feedback.ERROR, now_us=0)
    assert state.interval_us == 4_000
    twice_refused = adapt(adapt(state, pace, Feedback.RATE_LIMIT, now_us=0), pace, Feedback.ERROR, now_us=0)
    assert twice_refused.interval_us == 8_000, "an error never speeds up what a refusal slowed down"


def test_errors_slow_down_no_further_than_twice_the_interval_at_which_calls_came():
    pace, state, trail = Pace.per_minute(600), PaceState(), Trail()
    for second in range(30):
        state, _ = limiter.reserve(state, pace, trail, now_us=second * MICROSECONDS, wait_us_max=0)
    for _ in range(20):
        state = limiter.adapt(state, pace, trail, Feedback.ERROR, now_us=30 * MICROSECONDS)
    assert state.interval_us == pace.interval_us * limiter.SLOWEST_FACTOR_ERROR < MICROSECONDS
    busy, state = Trail(), PaceState()
    for tenth in range(300):
        state, _ = limiter.reserve(state, pace, busy, now_us=tenth * 120_000, wait_us_max=0)
    for _ in range(20):
        state = limiter.adapt(state, pace, busy, Feedback.ERROR, now_us=300 * 120_000)
    assert state.interval_us == 2 * 60 * MICROSECONDS // 300


def test_retry_after_stops_everybody_until_then():
    pace = Pace(interval_us=1_000)
    state = adapt(PaceState(), pace, Feedback.RATE_LIMIT, now_us=5_000, retry_after_s=7.0)
    _, reservation = reserve(state, pace, now_us=5_000, wait_us_max=NO_LIMIT_US)
    assert reservation.wait_s == 7.0


@given(st.lists(st.sampled_from(list(Feedback)), max_size=60))
def test_the_interval_stays_between_the_published_one_and_its_64_fold(feedbacks):
    pace, state = Pace(interval_us=1_000), PaceState()
    for feedback in feedbacks:
        state = adapt(state, pace, feedback, now_us=0)
        assert pace.interval_us <= max(state.interval_us, pace.interval_us) <= pace.interval_us * SLOWEST_FACTOR
