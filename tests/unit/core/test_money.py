"""Money stays whole."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core import money

CURRENCIES = st.sampled_from(sorted(money.DECIMALS))
MINOR = st.integers(min_value=-(10**15), max_value=10**15)


@given(MINOR, CURRENCIES)
def test_minor_to_major_and_back_is_exact(amount_minor, currency):
    assert money.to_minor(money.to_major(amount_minor, currency), currency) == amount_minor


@given(MINOR, CURRENCIES)
def test_text_has_all_decimals_and_reads_back(amount_minor, currency):
    text = money.as_text(amount_minor, currency)
    assert len(text.partition(".")[2]) == money.DECIMALS[currency]
    assert money.to_minor(Decimal(text), currency) == amount_minor


@given(st.decimals(min_value=0, max_value=10**9, places=9, allow_nan=False), CURRENCIES)
def test_rounding_is_against_us_on_both_sides(amount, currency):
    exact = amount.scaleb(money.DECIMALS[currency])
    assert money.to_receive_minor(amount, currency) <= exact <= money.to_pay_minor(amount, currency)
    assert money.to_pay_minor(amount, currency) - money.to_receive_minor(amount, currency) in (0, 1)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_an_amount_is_refused(amount):
    with pytest.raises(ValueError, match="not an amount"):
        money.to_minor(Decimal(amount), "USDC")


def test_an_unknown_currency_is_named():
    with pytest.raises(money.UnknownCurrency, match="XAU"):
        money.to_major(1, "XAU")
