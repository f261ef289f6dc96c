"""The ladder of ages: what is served, when it is renewed, and how it is graded."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.resilience.freshness import CacheRule, Grade, Standing, Step, grade_of, is_early_due, next_step

RULE = CacheRule(fresh_s=60, revalidate_s=30)
DAY_S = 86_400
ORDER = [Grade.FRESH, Grade.AGED, Grade.STALE]
ages = st.floats(0, 10 * DAY_S)
draws = st.floats(0, 1, exclude_max=True)
standings = st.builds(
    Standing,
    age_s=st.one_of(st.none(), ages),
    cost_s=st.floats(0, 30),
    failure_age_s=st.one_of(st.none(), ages),
    is_lasting=st.booleans(),
)


@given(one_s=ages, other_s=ages, has_failed=st.booleans())
def test_a_value_never_gets_better_with_age(one_s, other_s, has_failed):
    young_s, old_s = sorted((one_s, other_s))
    grades = [ORDER.index(grade_of(age_s, RULE, has_failed=has_failed)) for age_s in (young_s, old_s)]
    assert grades == sorted(grades)


@given(age_s=ages)
def test_a_failure_never_makes_a_value_better(age_s):
    assert ORDER.index(grade_of(age_s, RULE, has_failed=True)) >= ORDER.index(grade_of(age_s, RULE, has_failed=False))


@pytest.mark.parametrize(
    ("age_s", "grade"),
    [
        (0, Grade.FRESH),
        (59.999, Grade.FRESH),
        (60, Grade.AGED),
        (DAY_S - 60, Grade.AGED),
        (DAY_S - 0.001, Grade.AGED),
        (DAY_S, Grade.STALE),
        (DAY_S + 60, Grade.STALE),
    ],
)
def test_the_grades_change_at_their_ages(age_s, grade):
    assert grade_of(age_s, RULE, has_failed=True) is grade


def test_the_window_of_revalidation_counts_as_fresh_until_a_refresh_fails():
    assert grade_of(75, RULE, has_failed=False) is Grade.FRESH
    assert grade_of(75, RULE, has_failed=True) is Grade.AGED
    assert grade_of(90, RULE, has_failed=False) is Grade.AGED


@given(standing=standings, draw=draws)
def test_nothing_is_served_that_is_not_there_and_nothing_refused_that_is(standing, draw):
    step = next_step(standing, RULE, draw=draw)
    is_there = standing.age_s is not None and standing.age_s < RULE.kept_s
    assert is_there == (step not in (Step.LOAD, Step.REFUSE)) or (is_there and step is Step.LOAD)
    if step is Step.REFUSE:
        assert standing.is_lasting
        assert standing.failure_age_s is not None
        assert standing.failure_age_s < RULE.negative_s


@given(age_s=st.floats(0, 7 * DAY_S, exclude_max=True), draw=draws, is_lasting=st.booleans())
def test_right_after_a_failure_nobody_tries_again_while_there_is_something_to_serve(age_s, draw, is_lasting):
    standing = Standing(age_s=age_s, cost_s=100, failure_age_s=1.9, is_lasting=is_lasting)
    assert next_step(standing, RULE, draw=draw) is Step.SERVE


@pytest.mark.parametrize(
    ("standing", "step"),
    [
        (Standing(), Step.LOAD),
        (Standing(age_s=10), Step.SERVE),
        (Standing(age_s=75), Step.SERVE_BEHIND),
        (Standing(age_s=90), Step.LOAD),
        (Standing(age_s=90, failure_age_s=2), Step.SERVE_BEHIND),
        (Standing(age_s=90, failure_age_s=20), Step.LOAD),
        (Standing(age_s=90, failure_age_s=29, is_lasting=True), Step.SERVE),
        (Standing(age_s=7 * DAY_S), Step.LOAD),
        (Standing(failure_age_s=1), Step.LOAD),
        (Standing(failure_age_s=29, is_lasting=True), Step.REFUSE),
        (Standing(failure_age_s=30, is_lasting=True), Step.LOAD),
    ],
)
def test_the_steps_of_the_ladder(standing, step):
    assert next_step(standing, RULE, draw=0.0) is step


@given(cost_s=st.floats(0.001, 10), beta=st.floats(0.1, 5), draw=draws, age_s=st.floats(0, 59.9))
def test_an_early_refresh_is_due_as_the_paper_says(cost_s, beta, draw, age_s):
    rule = CacheRule(fresh_s=60, early_beta=beta)
    ahead_s = -cost_s * beta * math.log(1 - draw)
    is_due = is_early_due(Standing(age_s=age_s, cost_s=cost_s), rule, draw=draw)
    assert is_due == (ahead_s > 0 and age_s + ahead_s >= 60)


def test_without_beta_or_cost_nothing_is_refreshed_early():
    for rule, cost_s in ((CacheRule(fresh_s=60, early_beta=0), 10.0), (CacheRule(fresh_s=60), 0.0)):
        assert next_step(Standing(age_s=59.999, cost_s=cost_s), rule, draw=0.999999) is Step.SERVE


@pytest.mark.parametrize(
    "ages",
    [
        {"fresh_s": -1},
        {"fresh_s": DAY_S + 1},
        {"fresh_s": 1, "kept_s": 2},
        {"fresh_s": 1, "retry_s": -1},
        {"fresh_s": 0, "aged_s": 0, "kept_s": 0},
    ],
)
def test_a_ladder_out_of_order_is_refused(ages):
    with pytest.raises(ValueError, match="cache rule"):
        CacheRule(**ages)
