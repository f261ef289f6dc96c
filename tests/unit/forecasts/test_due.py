"""When a forecast is made again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.forecasts.due import Inputs, Rule, due, has_moved
from apps.forecasts.horizons import LONGEST, NAMES, horizon_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAR = NOW + timedelta(days=9)
RULE = Rule(ttl_minutes=5, move_fraction=0.05, speed=1)


def inputs(key="a", price=0.50, age=timedelta(0)):
    return Inputs(key, price, NOW - age)


def test_the_first_one_is_always_due():
    assert due(None, inputs(), closes_at=FAR, rule=RULE) == "first"


def test_the_same_inputs_are_never_forecast_twice_but_by_force():
    old = inputs(age=timedelta(days=1))
    soon = NOW + timedelta(minutes=1)
    assert due(old, inputs(), closes_at=soon, rule=RULE) is None
    assert due(old, inputs(), closes_at=soon, rule=RULE, force=True) == "forced"


@pytest.mark.parametrize(
    ("age", "price", "reason"),
    [
        (timedelta(minutes=4, seconds=59), 0.52, None),
        (timedelta(minutes=5), 0.50, "aged"),
        (timedelta(minutes=1), 0.525, "moved"),
        (timedelta(minutes=1), 0.475, "moved"),
        (timedelta(minutes=1), None, "moved"),
    ],
)
def test_far_from_the_close_a_change_counts_when_it_is_old_or_great_enough(age, price, reason):
    assert due(inputs(age=age), inputs("b", price), closes_at=FAR, rule=RULE) == reason


def test_within_a_day_of_the_close_every_change_counts():
    before = inputs(age=timedelta(seconds=1))
    assert due(before, inputs("b", 0.501), closes_at=NOW + timedelta(hours=24), rule=RULE) == "closing"
    assert due(before, inputs("b", 0.501), closes_at=NOW + timedelta(hours=25), rule=RULE) is None


def test_in_a_fast_world_ages_shrink():
    fast = Rule(ttl_minutes=5, move_fraction=0.05, speed=60)
    changed = inputs("b", 0.501)
    assert due(inputs(age=timedelta(seconds=5)), changed, closes_at=FAR, rule=fast) == "aged"
    assert due(inputs(age=timedelta(seconds=4)), changed, closes_at=FAR, rule=fast) is None
    assert due(inputs(age=timedelta(seconds=4)), changed, closes_at=NOW + timedelta(minutes=24), rule=fast) == "closing"


@given(st.booleans(), st.sampled_from(["a", "b"]), st.timedeltas(timedelta(0), timedelta(days=2)))
def test_after_the_close_nothing_is_due(force, key, late):
    assert due(None, inputs(key), closes_at=NOW - late, rule=RULE, force=force) is None
    assert due(inputs("a"), inputs(key), closes_at=NOW - late, rule=RULE, force=force) is None


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_move_is_a_fraction_of_what_the_price_was(before, after):
    assert has_moved(before, after, 0.05) == (abs(after - before) >= 0.05 * before)
    assert not has_moved(None, None, 0.05)
    assert has_moved(None, after, 0.05)


@pytest.mark.parametrize(
    ("left", "name"),
    [
        (timedelta(seconds=1), "under 5m"),
        (timedelta(minutes=5), "5m-15m"),
        (timedelta(minutes=15), "15m-1h"),
        (timedelta(hours=1), "1h-6h"),
        (timedelta(hours=6), "6h-24h"),
        (timedelta(days=1), "1d-7d"),
        (timedelta(days=7), "over 7d"),
    ],
)
def test_horizons_have_the_seven_buckets(left, name):
    assert horizon_of(left, speed=1) == name
    assert horizon_of(left / 60, speed=60) == name
    assert len(NAMES) == 7
    assert NAMES[-1] == LONGEST
