"""When a call is made again, and when it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.resilience.errors import BreakerOpen, HttpStatus, PaceExceeded, RedirectRefused, TimedOut
from apps.resilience.retry import NO_RETRY, RetryBudget, RetryRule, delay_before_retry


@given(attempt=st.integers(1, 3), share=st.floats(0, 0.999))
def test_delays_are_drawn_from_two_four_and_eight_seconds(attempt, share):
    delay_s = delay_before_retry(TimedOut(), attempt=attempt, rule=RetryRule(), draw=lambda: share)
    assert delay_s == (2.0, 4.0, 8.0)[attempt - 1] * share


def test_the_fourth_failure_is_the_last():
    assert delay_before_retry(TimedOut(), attempt=4, rule=RetryRule()) is None
    assert delay_before_retry(TimedOut(), attempt=1, rule=NO_RETRY) is None


@pytest.mark.parametrize("error", [HttpStatus(404), HttpStatus(422), RedirectRefused(), BreakerOpen(), PaceExceeded()])
def test_what_will_not_change_and_what_the_kit_refused_is_not_repeated(error):
    assert delay_before_retry(error, attempt=1, rule=RetryRule()) is None


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_statuses_that_may_pass_are_repeated(status):
    assert delay_before_retry(HttpStatus(status), attempt=1, rule=RetryRule(), draw=lambda: 0.5) == 1.0


def test_retry_after_is_obeyed_and_a_long_one_is_not_waited_for():
    assert delay_before_retry(HttpStatus(503, retry_after_s=9), attempt=1, rule=RetryRule(), draw=lambda: 0.5) == 9
    assert delay_before_retry(HttpStatus(503, retry_after_s=61), attempt=1, rule=RetryRule()) is None


@given(calls=st.lists(st.integers(0, 3), min_size=30, max_size=600))
def test_repeats_stay_at_or_under_a_tenth_of_the_calls(calls):
    budget, repeats = RetryBudget(RetryRule()), 0
    for wishes in calls:
        budget.earn()
        repeats += sum(budget.spend() for _ in range(wishes))
    assert repeats <= 0.1 * len(calls) + 1e-9


def test_a_fresh_process_may_repeat_three_times_before_it_has_earned_any():
    budget = RetryBudget(RetryRule())
    budget.earn()
    assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]
