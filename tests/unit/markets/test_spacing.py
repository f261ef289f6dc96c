"""How far bars lie apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.markets.spacing import is_double, median_spacing

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EVERY_FIVE = [NOW + 5 * index * SECOND for index in range(30)]


def test_one_long_gap_does_not_move_the_median():
    moments = [*EVERY_FIVE, EVERY_FIVE[-1] + timedelta(days=3)]
    assert median_spacing(moments) == 5 * SECOND


def test_only_the_newest_spacings_count():
    moments = [NOW - index * timedelta(days=1) for index in range(50, 0, -1)] + EVERY_FIVE
    assert median_spacing(moments) == 5 * SECOND


def test_one_bar_has_no_spacing():
    with pytest.raises(ValueError, match="no spacing"):
        median_spacing([NOW])


@given(st.integers(-10_000, 10_000), st.integers(1, 4_999))
def test_a_whole_history_shifted_by_a_fraction_of_a_bar_is_double(bars, fraction_ms):
    shift = bars * 5 * SECOND + timedelta(milliseconds=fraction_ms)
    inside = [moment + shift for moment in EVERY_FIVE if EVERY_FIVE[0] <= moment + shift <= EVERY_FIVE[-1]]
    assert all(is_double(moment, EVERY_FIVE) == (fraction_ms != 2_500) for moment in inside)


@given(st.integers(1, 1_000))
def test_the_bars_that_follow_are_no_doubles(ahead):
    assert not is_double(EVERY_FIVE[-1] + ahead * 5 * SECOND, EVERY_FIVE)


def test_a_bar_in_a_gap_is_no_double():
    assert not is_double(EVERY_FIVE[10], EVERY_FIVE[:10] + EVERY_FIVE[11:])


def test_too_few_stored_bars_know_no_doubles():
    assert not is_double(NOW + SECOND, EVERY_FIVE[:2])
