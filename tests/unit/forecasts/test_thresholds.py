"""Volatility, and the chance of closing above a threshold."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.forecasts.forecasters import thresholds
from apps.forecasts.forecasters.horizon import price_range
from apps.forecasts.forecasters.thresholds import Series


def walk(seed, count=750, sigma=0.01, start=1000.0):
    rng = np.random.default_rng(seed)
    closes = start * np.exp(np.cumsum(rng.normal(0, sigma, count)))
    spread = np.exp(np.abs(rng.normal(0, sigma, count)))
    return Series(closes, closes * spread, closes / spread)


def closes_only(seed, count=750):
    series = walk(seed, count)
    return Series(series.closes, series.closes, series.closes)


def fit(series, *, ahead):
    return thresholds.fit(series, ahead=ahead)


def price(fitted, threshold, *, rng):
    return thresholds.price(fitted, threshold, rng=rng)


def chance(series, threshold, *, ahead=1, seed=0):
    return price(fit(series, ahead=ahead), threshold, rng=np.random.default_rng(seed))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 5, 20]), st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=6, unique=True))
def test_a_higher_threshold_is_never_more_likely(seed, ahead, moves):
    series = walk(seed, 400)
    fitted = fit(series, ahead=ahead)
    said = [price(fitted, series.last * float(np.exp(move)), rng=np.random.default_rng(0)) for move in sorted(moves)]
    assert [entry.p_model for entry in said] == sorted((entry.p_model for entry in said), reverse=True)
    assert [entry.p_base for entry in said] == sorted((entry.p_base for entry in said), reverse=True)
    assert all(0 < entry.p_low <= entry.p_model <= entry.p_high < 1 for entry in said)


def test_ewma_equals_its_recursion():
    returns = np.diff(np.log(walk(3, 60).closes))
    naive: list[float] = []
    variance = float(np.mean(returns[:22] ** 2))
    for value in returns:
        variance = 0.94 * variance + 0.06 * value**2
        naive.append(sqrt(variance))
    assert thresholds.ewma_volatility(returns) == pytest.approx(naive)


def test_har_finds_the_regression_that_made_the_data():
    rng = np.random.default_rng(5)
    volatility: list[float] = [0.01] * 22
    for _ in range(3000):
        week, month = np.mean(volatility[-5:]), np.mean(volatility[-22:])
        volatility.append(float(0.0005 + 0.3 * volatility[-1] + 0.3 * week + 0.3 * month + rng.normal(0, 0.0005)))
    series = np.array(volatility)
    said = thresholds.har_volatility(series, 1)
    truth = 0.0005 + 0.3 * series[-1] + 0.3 * series[-5:].mean() + 0.3 * series[-22:].mean()
    assert said[-1] == pytest.approx(truth, rel=0.05)


def test_bars_with_a_range_use_it_and_bars_without_use_the_return():
    series, flat = walk(4), closes_only(4)
    returns = np.diff(np.log(series.closes))
    ranges = np.log(series.highs[1:] / series.lows[1:])
    assert thresholds.bar_volatility(series, returns) == pytest.approx(ranges / sqrt(4 * log(2)))
    assert thresholds.bar_volatility(flat, returns) == pytest.approx(np.abs(returns))


@pytest.mark.parametrize("make", [walk, closes_only])
@pytest.mark.parametrize("ahead", [1, 5])
def test_on_a_random_walk_the_chances_are_those_of_the_normal_law(make, ahead):
    gaps = []
    for seed in range(12):
        series = make(seed)
        said = chance(series, series.last * float(np.exp(0.01 * sqrt(ahead))), ahead=ahead)
        gaps.append(said.p_model - 0.1587)
    assert abs(float(np.mean(gaps))) < 0.05


def test_a_calm_week_narrows_what_climatology_does_not_see():
    rng = np.random.default_rng(8)
    returns = np.concatenate([rng.normal(0, 0.02, 600), rng.normal(0, 0.002, 100)])
    closes = 100 * np.exp(np.cumsum(returns))
    said = chance(Series(closes, closes, closes), closes[-1] * 1.01)
    assert said.p_model < 0.05 < 0.2 < said.p_base


def test_too_short_a_history_gives_no_fit():
    assert fit(walk(1, thresholds.BARS_MIN), ahead=1) is None
    assert fit(walk(1, thresholds.BARS_MIN + 1), ahead=1) is not None


@pytest.mark.parametrize("price", [0.0, -37.63])
def test_a_price_without_a_logarithm_gives_no_fit(price):
    series = walk(1)
    lows = series.lows.copy()
    lows[300] = price
    assert thresholds.fit(Series(series.closes, series.highs, lows), ahead=1) is None


def test_a_series_that_stands_still_is_priced_without_a_number_going_wrong():
    flat = np.full(300, 50.0)
    fitted = fit(Series(flat, flat, flat), ahead=5)
    said = price(fitted, 50.5, rng=np.random.default_rng(0))
    assert 0 < said.p_model < 0.01
    assert price_range(fitted).value == 50.0


def test_the_same_seed_gives_the_same_interval():
    series = walk(2)
    assert chance(series, series.last, seed=7) == chance(series, series.last, seed=7)
    assert chance(series, series.last, seed=7).p_low != chance(series, series.last, seed=8).p_low


def test_the_price_range_holds_the_last_close_and_widens_with_the_horizon():
    series = walk(6)
    near, far = (price_range(fit(series, ahead=ahead)) for ahead in (1, 20))
    assert near.low < near.value == series.last < near.high
    assert far.low < near.low < near.high < far.high


def test_the_mean_of_logits_of_equal_chances_is_that_chance():
    assert thresholds.mean_logit(np.array([0.3, 0.3])) == pytest.approx(0.3)
    assert thresholds.mean_logit(np.array([0.2, 0.8])) == pytest.approx(0.5)
