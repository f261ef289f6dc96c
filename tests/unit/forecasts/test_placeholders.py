"""A book in which nobody really quotes has no price: neither the consensus nor our opinion takes its middle."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.forecasts.forecasters.book import Ladder, consensus, opinion
from apps.markets.prices import is_placeholder

LOW = st.one_of(st.none(), st.integers(1, 100).map(lambda tick: tick / 10_000))
HIGH = st.one_of(st.none(), st.integers(9_900, 9_999).map(lambda tick: tick / 10_000))
AGE_MAX_S = 60.0


def ladder(bid: float | None, ask: float | None) -> Ladder:
    return Ladder(bids=((bid, 50.0),) if bid else (), asks=((ask, 50.0),) if ask else (), age_s=1.0)


def as_decimal(price: float | None) -> Decimal | None:
    return None if price is None else Decimal(str(price))


@given(bid=LOW, ask=HIGH, other_bid=LOW, other_ask=HIGH)
def test_the_middle_of_a_placeholder_is_never_a_price(bid, ask, other_bid, other_ask):
    assert is_placeholder(as_decimal(bid), as_decimal(ask))
    first, second = ladder(bid, ask), ladder(other_bid, other_ask)
    assert consensus(first, second, age_max_s=AGE_MAX_S, remembered=None) is None
    assert opinion(first, second, life_left=0.5, age_max_s=AGE_MAX_S) is None
    remembered = consensus(first, second, age_max_s=AGE_MAX_S, remembered=0.3)
    assert remembered is not None
    assert (remembered.price, remembered.is_stale) == (0.3, True)


@given(bid=LOW, ask=HIGH)
def test_a_real_book_of_the_other_outcome_is_taken_instead(bid, ask):
    found = consensus(ladder(bid, ask), ladder(0.60, 0.62), age_max_s=AGE_MAX_S, remembered=None)
    assert found is not None
    assert round(found.price, 6) == 0.39
