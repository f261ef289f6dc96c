"""Edges net of ask and fee."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.signals.edge import KELLY_CAP, best_side, chance_of, edge_net, fee_per_unit, kelly_fraction, model_side

CHANCE = st.decimals("0.001", "0.999", places=4)
RATE = st.decimals("0", "0.1", places=3)


def test_the_edge_is_what_is_left_after_ask_and_fee():
    assert fee_per_unit(Decimal("0.5"), Decimal("0.07")) == Decimal("0.0175")
    assert edge_net(Decimal("0.6"), Decimal("0.5"), Decimal("0.07")) == Decimal("0.0825")


@given(CHANCE, CHANCE, RATE)
def test_a_fee_never_helps(p_model, ask, rate):
    assert edge_net(p_model, ask, rate) <= p_model - ask


@given(CHANCE, CHANCE, st.decimals("0.001", "0.2", places=3), RATE)
def test_the_ask_counts_and_never_the_mid(p_model, ask, spread, rate):
    """The same ask with any bid, so any mid, gives the same edge; a higher ask a smaller one."""
    asks = [ask, None]
    assert best_side(p_model, asks, rate) == 0
    higher = min(ask + spread, Decimal("0.999"))
    if higher > ask:
        cost, higher_cost = (p_model - edge_net(p_model, price, rate) for price in (ask, higher))
        assert higher_cost > cost


@given(CHANCE, CHANCE, CHANCE, RATE)
def test_the_best_side_has_the_greatest_edge(p_model, first, second, rate):
    side = best_side(p_model, [first, second], rate)
    assert side is not None
    edges = [edge_net(chance_of(n, p_model), ask, rate) for n, ask in enumerate((first, second))]
    assert edges[side] == max(edges)


@given(CHANCE, CHANCE)
def test_the_models_side_is_the_one_it_rates_above_the_price(p_model, p_price):
    side = model_side(p_model, p_price)
    assert (side is None) == (p_model == p_price)
    assert side is None or chance_of(side, p_model) > chance_of(side, p_price)


def test_without_any_ask_there_is_no_side():
    assert best_side(Decimal("0.5"), [None, None], Decimal(0)) is None


@given(CHANCE, CHANCE, RATE)
def test_the_stake_is_nothing_without_an_edge_and_never_above_the_cap(p_model, ask, rate):
    share = kelly_fraction(p_model, ask, rate)
    assert (share > 0) == (edge_net(p_model, ask, rate) > 0)
    assert 0 <= share <= KELLY_CAP


def test_a_quarter_of_kellys_share():
    assert kelly_fraction(Decimal("0.55"), Decimal("0.5"), Decimal(0)) == pytest.approx(Decimal("0.025"))
