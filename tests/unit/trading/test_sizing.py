"""Stakes and price limits."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.trading.sizing import break_even_price, least_stake, share_of_bankroll

D = Decimal
chances = st.decimals("0.02", "0.98", places=4)
rates = st.sampled_from([D(0), D("0.04"), D("0.07")])
ticks = st.sampled_from([D(0), D("0.01"), D("0.001")])


@given(chances, rates, ticks)
def test_at_the_break_even_price_the_edge_is_not_negative_and_a_tick_higher_it_is_gone(chance, rate, tick):
    price = break_even_price(chance, rate, tick=tick)
    step = tick or D("0.0001")
    tolerance = D("1e-20")
    assert price + rate * price * (1 - price) <= chance + tolerance
    higher = price + step
    assert higher + rate * higher * (1 - higher) > chance - tolerance


@given(st.decimals("0", "0.05", places=6), st.integers(-5, 10**12), st.integers(0, 10**10))
def test_a_stake_is_a_whole_number_within_the_bankroll_and_the_limit(share, bankroll_minor, size_max_minor):
    stake = share_of_bankroll(share, bankroll_minor=bankroll_minor, size_max_minor=size_max_minor)
    assert 0 <= stake <= min(max(bankroll_minor, 0), size_max_minor)


def test_the_least_stake_buys_the_fewest_units_that_the_venue_takes():
    step = D("0.000001")
    assert least_stake(D(5), ask=D("0.50"), min_units=D(5), step=step) == D(5)
    assert least_stake(D(5), ask=D("0.5000007"), min_units=D(15), step=step) == D("7.500011")
