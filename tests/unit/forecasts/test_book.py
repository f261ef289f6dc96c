"""The price consensus and the opinion of a book."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.forecasts.forecasters.book import OPINION_CLIP, Ladder, consensus, imbalance, opinion

UNITS = st.floats(min_value=0.01, max_value=1e6)


def ladder(bid, ask, *, bid_units=100.0, ask_units=100.0, age_s=0.0):
    return Ladder(
        ((bid, bid_units),) if bid is not None else (),
        ((ask, ask_units),) if ask is not None else (),
        age_s,
    )


@st.composite
def tight_ladders(draw):
    bid = draw(st.integers(2, 97)) / 100
    ask = bid + draw(st.integers(1, 8)) / 1000
    depth = draw(st.integers(1, 6))
    bids = tuple((bid - 0.001 * n, draw(UNITS)) for n in range(depth))
    asks = tuple((ask + 0.001 * n, draw(UNITS)) for n in range(depth))
    return Ladder(bids, asks, 0.0)


def said_of(first, second, *, life_left, age_max_s):
    return opinion(first, second, life_left=life_left, age_max_s=age_max_s)


def price_of(first, second=None, *, remembered=None, age_max_s=300.0):
    return consensus(first, second, age_max_s=age_max_s, remembered=remembered)


def test_the_price_is_the_mid_of_a_fresh_tight_book():
    found = price_of(ladder(0.50, 0.52))
    assert (found.price, found.bid, found.ask, found.is_stale) == (0.51, 0.50, 0.52, False)


def test_an_offer_of_the_second_outcome_is_a_bid_for_the_first():
    found = price_of(ladder(0.50, 0.54), ladder(0.47, 0.49))
    assert (found.bid, found.ask) == (pytest.approx(0.51), pytest.approx(0.53))
    assert found.price == pytest.approx(0.52)


def test_a_missing_side_is_bounded_by_the_payout():
    found = price_of(ladder(0.98, None))
    assert (found.price, found.ask, found.is_stale) == (pytest.approx(0.99), 1.0, False)


def test_an_old_book_is_used_but_flagged():
    found = price_of(ladder(0.50, 0.52, age_s=301.0))
    assert (found.price, found.age_s, found.is_stale) == (0.51, 301.0, True)


def test_a_fresh_book_beats_an_old_one_of_the_other_outcome():
    found = price_of(ladder(0.50, 0.52, age_s=400.0), ladder(0.40, 0.42))
    assert (found.price, found.is_stale) == (pytest.approx(0.59), False)


@pytest.mark.parametrize("empty", [ladder(0.01, 0.99), ladder(None, None), ladder(0.005, None), ladder(0.30, 0.60), None])
def test_without_a_tight_book_the_remembered_price_is_flagged_stale(empty):
    found = price_of(empty, remembered=0.37)
    assert (found.price, found.bid, found.ask, found.age_s, found.is_stale) == (0.37, None, None, None, True)
    assert price_of(empty) is None


@given(tight_ladders())
def test_both_outcomes_tell_the_same_price(book):
    assert price_of(book).price == pytest.approx(1 - price_of(book.mirrored()).price)
    assert price_of(book, book.mirrored()).price == pytest.approx(price_of(book).price)
    assert price_of(None, book.mirrored()).price == pytest.approx(price_of(book).price)


@given(tight_ladders(), st.floats(0, 1))
def test_the_opinion_never_lies_more_than_a_spread_from_the_mid(book, life_left):
    said = said_of(book, None, life_left=life_left, age_max_s=300.0)
    mid, spread = (book.bid + book.ask) / 2, book.ask - book.bid
    assert abs(said - mid) <= spread + 1e-12
    assert OPINION_CLIP <= said <= 1 - OPINION_CLIP


@given(tight_ladders(), st.floats(0, 1))
def test_the_opinion_on_the_other_outcome_is_the_complement(book, life_left):
    said = said_of(book, None, life_left=life_left, age_max_s=300.0)
    other = said_of(book.mirrored(), None, life_left=life_left, age_max_s=300.0)
    from_second = said_of(None, book.mirrored(), life_left=life_left, age_max_s=300.0)
    assert said == pytest.approx(1 - other, abs=1e-9)
    assert said == pytest.approx(from_second, abs=1e-9)


def test_at_the_close_the_opinion_is_the_micro_price():
    book = Ladder(((0.50, 300.0), (0.49, 1.0)), ((0.52, 100.0), (0.53, 9000.0)), 0.0)
    said = said_of(book, None, life_left=0.0, age_max_s=300.0)
    assert said == pytest.approx((0.50 * 100 + 0.52 * 300) / 400)


def test_depth_moves_the_opinion_only_while_there_is_time():
    book = Ladder(((0.50, 100.0), (0.49, 900.0)), ((0.52, 100.0), (0.53, 100.0)), 0.0)
    at_close, half_way, at_birth = (said_of(book, None, life_left=left, age_max_s=300.0) for left in (0.0, 0.5, 1.0))
    assert at_close == pytest.approx(0.51)
    assert at_birth - at_close == pytest.approx(0.01 * 800 / 1200)
    assert half_way - at_close == pytest.approx((at_birth - at_close) / 2)


@pytest.mark.parametrize(
    "mute",
    [
        ladder(0.52, 0.50),  # crossed
        ladder(0.50, None),  # one side only
        ladder(0.40, 0.60),  # wide
        ladder(0.01, 0.99),  # placeholder
        ladder(0.50, 0.52, age_s=301.0),  # old
        None,
    ],
)
def test_a_book_that_tells_nothing_gives_no_opinion(mute):
    assert opinion(mute, None, life_left=0.5, age_max_s=300.0) is None


@given(UNITS, UNITS)
def test_imbalance_is_antisymmetric_and_bounded(bid_units, ask_units):
    assert imbalance(bid_units, ask_units) == -imbalance(ask_units, bid_units)
    assert -1 <= imbalance(bid_units, ask_units) <= 1
    assert imbalance(0.0, 0.0) == 0.0
