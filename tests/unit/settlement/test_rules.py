"""What positions are paid."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.settlement.errors import PayoutMissing
from apps.settlement.rules import booking, payment, payout_of

D = Decimal
ONE, TEN = D(1), D(10)
units = st.decimals("0.000001", "1000000", places=6)
payouts = st.decimals("0", "1", places=10) | st.sampled_from([D(0), D(1), D(1) / 3, D("2104.50")])
amounts = st.integers(0, 10**12)
kinds = st.sampled_from(["final", "void"])


def paid(kind="final", units=TEN, payout=ONE, cost_minor=5_000_000, fees_minor=175_000, currency="USDC"):
    return payment(kind=kind, units=units, payout=payout, cost_minor=cost_minor, fees_minor=fees_minor, currency=currency)


@given(kinds, units, payouts, amounts, amounts)
def test_the_entry_of_a_settlement_adds_up_to_zero(kind, units, payout, cost_minor, fees_minor):
    got = paid(kind, units, payout, cost_minor, fees_minor)
    assert sum(booking(kind=kind, cost_minor=cost_minor, paid_minor=got.paid_minor).values()) == 0


@given(kinds, units, payouts, amounts, amounts)
def test_what_is_realised_is_what_came_in_less_what_was_laid_out(kind, units, payout, cost_minor, fees_minor):
    got = paid(kind, units, payout, cost_minor, fees_minor)
    assert got.realised_minor == got.paid_minor - cost_minor - fees_minor


@given(units, payouts)
def test_we_are_never_paid_more_than_the_outcome_pays_and_less_by_under_one_minor_unit(units, payout):
    exact = units * payout * 10**6
    assert 0 <= exact - paid(units=units, payout=payout).paid_minor < 1


@given(units, amounts, amounts)
def test_a_void_market_gives_stake_and_fees_back_and_leaves_no_result(units, cost_minor, fees_minor):
    got = paid("void", units, D(0), cost_minor, fees_minor)
    assert (got.paid_minor, got.realised_minor) == (cost_minor + fees_minor, 0)
    entry = booking(kind="void", cost_minor=cost_minor, paid_minor=got.paid_minor)
    assert entry == {"cash": cost_minor + fees_minor, "positions": -cost_minor, "fees": -fees_minor}


@pytest.mark.parametrize(
    ("case", "payout", "paid_minor"),
    [
        ("a win", D(1), 10_000_000),
        ("a loss", D(0), 0),
        ("a part payout", D("0.5"), 5_000_000),
        ("a dead heat of three", D(1) / 3, 3_333_333),
        ("a push at the price paid", D("0.5"), 5_000_000),
        ("a horizon contract", D("2104.505"), 21_045_050_000),
    ],
)
def test_units_times_payout_covers_every_case(case, payout, paid_minor):
    assert paid(payout=payout).paid_minor == paid_minor


def test_a_gain_is_a_credit_of_result_and_a_loss_a_debit():
    assert booking(kind="final", cost_minor=4, paid_minor=10) == {"cash": 10, "positions": -4, "result": -6}
    assert booking(kind="final", cost_minor=4, paid_minor=0) == {"cash": 0, "positions": -4, "result": 4}


def test_a_final_result_must_name_the_payout_of_what_is_held():
    assert payout_of("out_1", kind="final", payouts={"out_1": D("0.5")}) == D("0.5")
    assert payout_of("out_1", kind="void", payouts={}) == 0
    for wrong in ({}, {"out_2": D(1)}, {"out_1": D(-1)}):
        with pytest.raises(PayoutMissing):
            payout_of("out_1", kind="final", payouts=wrong)
