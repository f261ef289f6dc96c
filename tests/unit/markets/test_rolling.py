"""Which markets are rolled from bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.markets.rolling import BARS_NEEDED, close_after, nice_step, sets_to_roll, sigma_of, thresholds_around
from apps.markets.types import Bar

FRIDAY = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
FIVE_SECONDS = timedelta(seconds=5)


def bars(count, *, start=FRIDAY, spacing=FIVE_SECONDS, last_is_final=True):
    prices = [Decimal(2000) + Decimal((index * 37) % 23) for index in range(count)]
    return [
        Bar(start + index * spacing, price, price, price, price, None, last_is_final or index < count - 1)
        for index, price in enumerate(prices)
    ]


def weekdays(count, *, until):
    found: list[datetime] = []
    while len(found) < count:
        if until.weekday() < 5:
            found.append(until)
        until -= timedelta(days=1)
    return found[::-1]


def test_one_set_for_each_horizon():
    series = bars(BARS_NEEDED)
    last = series[-1].closes_at
    sets = sets_to_roll(series, now=last, open_until={})
    assert [(one.horizon_bars, one.closes_at - last) for one in sets] == [
        (1, FIVE_SECONDS),
        (5, 5 * FIVE_SECONDS),
        (20, 20 * FIVE_SECONDS),
    ]
    assert all(len(one.thresholds) == 3 for one in sets)


def test_too_few_final_bars_roll_nothing():
    assert sets_to_roll(bars(BARS_NEEDED, last_is_final=False), now=FRIDAY, open_until={}) == ()


def test_a_running_bar_is_not_a_base():
    series = bars(BARS_NEEDED + 1, last_is_final=False)
    sets = sets_to_roll(series, now=series[-1].closes_at - FIVE_SECONDS, open_until={})
    assert {one.base_at for one in sets} == {series[-2].closes_at}


def test_a_horizon_rolls_again_when_the_last_bar_reached_its_close():
    series = bars(BARS_NEEDED)
    last = series[-1].closes_at
    open_until = {1: last, 5: last + timedelta(microseconds=1), 20: last + FIVE_SECONDS}
    assert [one.horizon_bars for one in sets_to_roll(series, now=last, open_until=open_until)] == [1]


def test_nothing_is_born_closed():
    series = bars(BARS_NEEDED)
    now = series[-1].closes_at + 5 * FIVE_SECONDS
    assert [one.horizon_bars for one in sets_to_roll(series, now=now, open_until={})] == [20]


def test_a_gap_does_not_stretch_the_spacing():
    moments = [FRIDAY + index * FIVE_SECONDS for index in range(10)]
    moments += [moments[-1] + timedelta(hours=1) + index * FIVE_SECONDS for index in range(11)]
    assert close_after(moments, 5) == moments[-1] + 5 * FIVE_SECONDS


@pytest.mark.parametrize(("horizon", "days"), [(1, 3), (5, 7), (20, 28)])
def test_daily_bars_skip_the_weekend(horizon, days):
    assert close_after(weekdays(21, until=FRIDAY), horizon) == FRIDAY + timedelta(days=days)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_daily_bars_that_know_no_weekend_do_not_skip_it(horizon):
    moments = [FRIDAY - index * timedelta(days=1) for index in range(20, -1, -1)]
    assert close_after(moments, horizon) == FRIDAY + timedelta(days=horizon)


def test_sigma_of_a_steady_walk_is_its_step():
    assert sigma_of([Decimal(100 + (index % 2)) for index in range(50)]) == pytest.approx(1.0)


def test_sigma_forgets_old_storms():
    calm = [Decimal(100 + (index % 2)) for index in range(200)]
    assert sigma_of([Decimal(0), *calm]) == pytest.approx(1.0, abs=0.05)


def test_a_flat_series_has_one_threshold():
    assert thresholds_around(Decimal("12.5"), 0.0) == ((0, Decimal("12.5")),)


def test_thresholds_lie_on_a_grid_of_nice_steps():
    assert thresholds_around(Decimal("2103.37"), 20.0) == ((-1, Decimal(2084)), (0, Decimal(2104)), (1, Decimal(2124)))


@given(st.decimals(min_value=-100, max_value=50_000, places=4), st.floats(min_value=1e-6, max_value=1e5))
def test_thresholds_rise_and_stay_near_their_sigmas(last, sigma):
    found = thresholds_around(last, sigma)
    step = nice_step(sigma / 10)
    assert [sigmas for sigmas, _ in found] == [-1, 0, 1]
    assert found[0][1] < found[1][1] < found[2][1]
    assert all(abs(price - (last + sigmas * Decimal(sigma))) <= step / 2 for sigmas, price in found)


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_a_nice_step_is_one_two_or_five_times_a_power_of_ten_and_not_far_above(size):
    step = nice_step(size)
    assert step.normalize().as_tuple().digits in {(1,), (2,), (5,)}
    assert Decimal(size) <= step <= Decimal(size) * Decimal("2.5")
