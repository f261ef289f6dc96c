"""Price and model in one probability."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.forecasts.forecasters.base_rate import base_rate
from apps.forecasts.pooling import chance_of, logit, pool

CHANCE = st.floats(0.001, 0.999)


@given(CHANCE, CHANCE)
def test_without_weight_and_bias_the_answer_is_the_price(p_price, p_model):
    assert pool(p_price, p_model, w=0.0, b=0.0) == pytest.approx(p_price)


@given(CHANCE, CHANCE)
def test_with_full_weight_the_answer_is_the_model(p_price, p_model):
    assert pool(p_price, p_model, w=1.0, b=0.0) == pytest.approx(p_model)


@given(CHANCE, CHANCE, st.floats(0, 1))
def test_in_between_the_answer_lies_in_between(p_price, p_model, w):
    said = pool(p_price, p_model, w=w, b=0.0)
    assert said is not None
    assert min(p_price, p_model) - 1e-9 <= said <= max(p_price, p_model) + 1e-9


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-5, 5), st.floats(-5, 5))
def test_nothing_is_ever_extremised(p_price, p_model, w, b):
    said = pool(p_price, p_model, w=w, b=b)
    assert said is not None
    assert abs(logit(said)) <= max(abs(logit(p_price)), abs(logit(p_model))) + 1e-9
    assert 0 < said < 1


def test_a_bias_moves_the_price_towards_the_middle():
    assert pool(0.8, None, w=0.0, b=-0.5) == pytest.approx(chance_of(logit(0.8) - 0.5))
    assert pool(0.8, None, w=0.0, b=0.5) == pytest.approx(0.8)


def test_the_one_that_is_there_speaks_alone():
    assert pool(None, 0.3, w=0.5, b=0.1) == 0.3
    assert pool(0.3, None, w=0.5, b=0.0) == pytest.approx(0.3)
    assert pool(None, None, w=0.5, b=0.0) is None


@given(st.floats(-700, 700))
def test_log_odds_never_overflow(log_odds):
    assert 0 <= chance_of(log_odds) <= 1


def test_the_base_rate_starts_at_a_half_and_learns():
    assert base_rate(0, 0) == 0.5
    assert base_rate(3, 4) == pytest.approx(4 / 6)
    with pytest.raises(ValueError, match="cannot have paid"):
        base_rate(2, 1)
