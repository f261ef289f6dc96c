"""Exposure, and what fills do to a holding."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.portfolio.exposure import Holding, Stake, bought, exposure_of, share_of, sold

D = Decimal
amounts = st.integers(0, 10**12)
units = st.decimals("0.000001", "1000000", places=6)
stakes = st.builds(
    Stake, st.sampled_from(["o1", "o2", "o3"]), st.sampled_from(["e1", "e2"]), st.sampled_from(["crypto", "sports"]), amounts
)


@given(st.lists(stakes))
def test_every_way_of_adding_up_exposure_gives_the_same_total(given_stakes):
    exposure = exposure_of(given_stakes)
    assert exposure.total_minor == sum(stake.amount_minor for stake in given_stakes)
    for parts in (exposure.by_outcome_minor, exposure.by_event_minor, exposure.by_category_minor):
        assert sum(parts.values()) == exposure.total_minor
    assert exposure.positions_open == len({stake.outcome_id for stake in given_stakes})


@given(amounts, units, units)
def test_a_share_lies_between_nothing_and_everything(amount_minor, part, whole):
    assert 0 <= share_of(amount_minor, min(part, whole), whole) <= amount_minor
    assert share_of(amount_minor, whole, whole) == amount_minor


@given(
    st.lists(st.tuples(units, amounts, amounts), min_size=1, max_size=5),
    st.lists(st.floats(0.01, 1), max_size=5),
    amounts,
    amounts,
)
def test_buying_and_selling_everything_realises_exactly_the_cash_that_moved(buys, parts, notional_minor, fee_minor):
    holding, cash = Holding(D(0), 0, 0, 0), 0
    for bought_units, cost, fee in buys:
        holding = bought(holding, units=bought_units, notional_minor=cost, fee_minor=fee).holding
        cash -= cost + fee
    sales = [(holding.units * D(part)).quantize(D("0.000001")) for part in parts]
    for wanted in [*sales, None]:
        selling = holding.units if wanted is None else min(wanted, holding.units)
        if selling > 0:
            change = sold(holding, units=selling, notional_minor=notional_minor, fee_minor=fee_minor)
            holding = change.holding
            cash += notional_minor - fee_minor
            assert change.gain_minor == notional_minor - change.cost_minor
    assert (holding.units, holding.cost_minor, holding.fees_minor) == (D(0), 0, 0)
    assert holding.realised_minor == cash


def test_a_buy_realises_nothing():
    change = bought(Holding(D(1), 10, 1, 7), units=D(2), notional_minor=20, fee_minor=2)
    assert change.holding == Holding(D(3), 30, 3, 7)
    assert (change.cost_minor, change.gain_minor) == (20, 0)


def test_half_a_position_takes_half_its_cost_and_fees():
    change = sold(Holding(D(10), 100, 10, 0), units=D(5), notional_minor=70, fee_minor=3)
    assert change.holding == Holding(D(5), 50, 5, 70 - 50 - 5 - 3)
    assert (change.cost_minor, change.gain_minor) == (50, 20)
