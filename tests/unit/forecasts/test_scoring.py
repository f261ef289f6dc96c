"""Scores against their definitions written out the slow way."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.forecasts import scoring

CHANCE = st.floats(0, 1)
CASES = st.lists(st.tuples(CHANCE, st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=60)


def arrays(cases):
    return np.array([case[0] for case in cases]), np.array([case[1] for case in cases])


def naive_bins(cases, bins=10):
    groups: dict[int, list[tuple[float, float]]] = {}
    for chance, payout in cases:
        groups.setdefault(min(int(chance * bins), bins - 1), []).append((chance, payout))
    return groups


@given(CHANCE, st.sampled_from([0.0, 0.25, 1.0]))
def test_brier_and_log_loss_equal_their_definitions(chance, payout):
    clipped = min(max(chance, 1e-6), 1 - 1e-6)
    assert scoring.brier(chance, payout) == (chance - payout) ** 2
    assert scoring.log_loss(chance, payout) == pytest.approx(-(payout * log(clipped) + (1 - payout) * log(1 - clipped)))


def test_a_sure_and_wrong_forecast_costs_much_but_not_infinitely():
    assert scoring.log_loss(0.0, 1.0) == pytest.approx(-log(1e-6))
    assert scoring.log_loss(1.0, 0.0) == pytest.approx(-log(1e-6), rel=1e-6)


@given(CASES)
def test_the_calibration_error_equals_its_definition(cases):
    naive = sum(abs(sum(c - y for c, y in group)) for group in naive_bins(cases).values()) / len(cases)
    assert scoring.expected_calibration_error(*arrays(cases)) == pytest.approx(naive, abs=1e-12)


@given(CASES)
def test_murphys_parts_add_up_to_brier_and_equal_their_definitions(cases):
    chances, payouts = arrays(cases)
    parts = scoring.murphy(chances, payouts)
    mean = sum(y for _, y in cases) / len(cases)
    groups = naive_bins(cases).values()
    reliability = sum(len(g) * (sum(c for c, _ in g) / len(g) - sum(y for _, y in g) / len(g)) ** 2 for g in groups) / len(cases)
    resolution = sum(len(g) * (sum(y for _, y in g) / len(g) - mean) ** 2 for g in groups) / len(cases)
    assert parts.brier == pytest.approx(float(np.mean((chances - payouts) ** 2)), abs=1e-12)
    assert parts.reliability == pytest.approx(reliability, abs=1e-9)
    assert parts.resolution == pytest.approx(resolution, abs=1e-9)


def test_the_ranked_score_of_two_outcomes_is_brier_and_near_misses_cost_less():
    assert scoring.ranked_probability([0.7, 0.3], [1, 0]) == pytest.approx(scoring.brier(0.7, 1))
    near = scoring.ranked_probability([0, 1, 0], [1, 0, 0])
    far = scoring.ranked_probability([0, 0, 1], [1, 0, 0])
    assert (near, far) == (0.5, 1.0)
    with pytest.raises(ValueError, match="two or more"):
        scoring.ranked_probability([1.0], [1.0])


def test_skill_is_the_share_of_the_reference_that_is_gone():
    assert scoring.skill(0.15, 0.20) == pytest.approx(0.25)
    assert scoring.skill(0.30, 0.20) == pytest.approx(-0.5)
    assert scoring.skill(0.1, 0.0) is None


def test_the_interval_resamples_clusters_not_cases():
    rng = np.random.default_rng(1)
    luck = rng.normal(0, 1, 20)
    values = np.repeat(luck, 50)
    clusters = [str(n) for n in np.repeat(np.arange(20), 50)]
    clustered = scoring.clustered_interval(values, clusters, rng=np.random.default_rng(2))
    single = scoring.clustered_interval(values, [str(n) for n in range(1000)], rng=np.random.default_rng(2))
    assert clustered.clusters == 20
    assert (clustered.high - clustered.low) > 5 * (single.high - single.low)
    assert clustered.mean == pytest.approx(float(luck.mean()))


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for seed in range(200):
        values = np.random.default_rng(seed).normal(0.3, 1, 80)
        said = scoring.clustered_interval(values, [str(n) for n in range(80)], rng=np.random.default_rng(seed), draws=400)
        covered += said.low <= 0.3 <= said.high
    assert 180 <= covered <= 199


def test_a_clear_gain_has_a_small_p_value_and_a_loss_a_great_one():
    names = [str(n) for n in range(50)]
    gain = scoring.clustered_interval(np.full(50, 0.1), names, rng=np.random.default_rng(0))
    loss = scoring.clustered_interval(np.full(50, -0.1), names, rng=np.random.default_rng(0))
    assert gain.p_value == pytest.approx(1 / 2001)
    assert loss.p_value == 1.0


@pytest.mark.parametrize("function", [scoring.murphy, scoring.expected_calibration_error])
def test_no_cases_are_refused(function):
    with pytest.raises(ValueError, match="no cases"):
        function(np.array([]), np.array([]))
