"""One forecast against what happened."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.forecasts.judgements import Said, marks
from apps.forecasts.scoring import log_loss


def said(**given):
    names = ("p_final", "p_price", "p_model", "p_base", "value", "value_price")
    return Said(**{**dict.fromkeys(names), **{name: Decimal(text) for name, text in given.items()}})


def test_a_binary_forecast_is_marked_beside_price_model_and_base():
    found = marks(said(p_final="0.6", p_price="0.5", p_model="0.7", p_base="0.4"), Decimal(1))
    assert [found.brier, found.brier_price] == pytest.approx([0.16, 0.25])
    assert found.log_loss == pytest.approx(log_loss(0.6, 1))
    assert (found.log_loss_price, found.log_loss_model, found.log_loss_base) == pytest.approx(
        (log_loss(0.5, 1), log_loss(0.7, 1), log_loss(0.4, 1))
    )
    assert (found.error, found.error_price) == (None, None)


def test_what_was_not_said_is_not_marked():
    found = marks(said(p_final="0.6", p_base="0.4"), Decimal(0))
    assert (found.brier_price, found.log_loss_price, found.log_loss_model) == (None, None, None)


def test_a_linear_forecast_is_marked_by_its_error_relative_to_the_price():
    found = marks(said(value="102", value_price="100"), Decimal(101))
    assert [found.error, found.error_price] == pytest.approx([0.01, -0.01])
    assert (found.brier, found.log_loss) == (None, None)
