"""Walking a book: never beyond the limit, never more money than given, never more units than offered."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.markets.types import Book, Level
from apps.trading.matching import DUST, SHORTFALL_MIN, Leg, MatchOrder, Rejection, Walk, execute, walk_buy, walk_sell

D = Decimal
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)

prices = st.integers(1, 99).map(lambda cents: D(cents) / 100)
sizes = st.decimals("0.01", "5000", places=2)
limits = st.none() | prices


@st.composite
def asks(draw, min_size=0):
    chosen = draw(st.lists(prices, min_size=min_size, max_size=15, unique=True))
    return tuple(Level(price, draw(sizes)) for price in sorted(chosen))


@st.composite
def bids(draw, min_size=0):
    return tuple(reversed(draw(asks(min_size))))


def book(*, bids=(), asks=()):
    return Book(
        quote_id=1,
        outcome_id="out_1",
        bids=tuple(Level(D(price), D(units)) for price, units in bids),
        asks=tuple(Level(D(price), D(units)) for price, units in asks),
        vendor_at=AT,
        received_at=AT,
        digest="",
    )


@given(asks(), sizes, limits)
def test_a_buy_keeps_within_its_money_its_limit_and_the_depth(levels, spend, limit):
    walk = walk_buy(levels, spend=spend, limit=limit)
    assert walk.cost <= spend
    offered = {level.price: level.units for level in levels}
    assert all(0 < leg.units <= offered[leg.price] for leg in walk.legs)
    assert all(limit is None or leg.price <= limit for leg in walk.legs)
    assert [leg.price for leg in walk.legs] == sorted(leg.price for leg in walk.legs)


@given(bids(), sizes, limits)
def test_a_sell_keeps_within_its_units_its_limit_and_the_depth(levels, units, limit):
    walk = walk_sell(levels, units=units, limit=limit)
    assert walk.units <= units
    wanted = {level.price: level.units for level in levels}
    assert all(0 < leg.units <= wanted[leg.price] for leg in walk.legs)
    assert all(limit is None or leg.price >= limit for leg in walk.legs)
    assert [leg.price for leg in walk.legs] == sorted((leg.price for leg in walk.legs), reverse=True)


@given(asks(min_size=1), sizes, limits)
def test_a_buy_that_is_not_depth_limited_spent_its_money(levels, spend, limit):
    walk = walk_buy(levels, spend=spend, limit=limit)
    assert walk.is_depth_limited or spend - walk.cost <= SHORTFALL_MIN


@given(asks(min_size=1), sizes, limits)
def test_a_depth_limited_buy_took_every_level_within_its_limit(levels, spend, limit):
    walk = walk_buy(levels, spend=spend, limit=limit)
    if walk.is_depth_limited:
        within = [level for level in levels if limit is None or level.price <= limit]
        assert [(leg.price, leg.units) for leg in walk.legs] == [(level.price, level.units) for level in within]


@given(asks(min_size=1), sizes, prices)
def test_the_fee_is_never_above_the_rate_on_what_was_spent(levels, spend, rate):
    walk = walk_buy(levels, spend=spend, limit=None)
    assert 0 <= walk.fee(rate) <= spend * rate + D("0.00001")


@given(asks(min_size=1), sizes)
def test_the_average_price_lies_between_the_best_and_the_worst_level_taken(levels, spend):
    walk = walk_buy(levels, spend=spend, limit=None)
    assert walk.legs[0].price - D("1e-20") <= walk.average_price <= walk.legs[-1].price + D("1e-20")


def test_a_buy_walks_up_the_levels():
    walk = walk_buy(book(asks=[("0.50", 10), ("0.60", 10)]).asks, spend=D(8), limit=None)
    assert [(leg.price, leg.units) for leg in walk.legs] == [(D("0.50"), D(10)), (D("0.60"), D(5))]
    assert walk.cost == D(8)
    assert walk.units == D(15)
    assert not walk.is_depth_limited


def test_the_fee_follows_the_curve_of_each_leg_and_rounds_half_even():
    walk = walk_buy(book(asks=[("0.50", 10), ("0.60", 10)]).asks, spend=D(8), limit=None)
    assert walk.fee(D("0.07")) == D("0.25900")
    assert Walk((walk.legs[0],), is_depth_limited=False).fee(D("0.0000020")) == D("0.00000")
    assert Walk((walk.legs[0],), is_depth_limited=False).fee(D("0.0000060")) == D("0.00002")


def test_an_empty_walk_has_no_price_and_no_fee():
    walk = walk_buy((), spend=D(5), limit=None)
    assert (walk.units, walk.average_price, walk.fee(D("0.07"))) == (D(0), D(0), D(0))
    assert walk.is_depth_limited


@pytest.mark.parametrize(
    ("standing", "order", "reason"),
    [
        (book(bids=[("0.01", 5)], asks=[("0.99", 5)]), MatchOrder("buy", spend=D(5)), "placeholder_book"),
        (book(), MatchOrder("buy", spend=D(5)), "placeholder_book"),
        (book(asks=[("0.99", 5)]), MatchOrder("sell", units=D(5), held=D(5)), "placeholder_book"),
        (book(bids=[("0.40", 5)], asks=[("0.50", 5)]), MatchOrder("buy", spend=D(0)), "invalid_size"),
        (book(bids=[("0.40", 5)], asks=[("0.50", 5)]), MatchOrder("buy"), "invalid_size"),
        (book(bids=[("0.40", 5)]), MatchOrder("buy", spend=D(5)), "no_liquidity"),
        (book(asks=[("0.40", 5)]), MatchOrder("sell", units=D(1), held=D(5)), "no_liquidity"),
        (book(bids=[("0.40", 5)], asks=[("0.50", 5)]), MatchOrder("sell", units=D(1)), "no_position"),
        (book(bids=[("0.40", 5)], asks=[("0.50", 5)]), MatchOrder("sell", units=D(0), held=D(5)), "no_position"),
        (book(bids=[("0.40", 5)], asks=[("0.50", 5)]), MatchOrder("buy", spend=D(5), limit=D("0.49")), "price_limit"),
        (book(bids=[("0.40", 5)], asks=[("0.50", 5)]), MatchOrder("sell", units=D(5), limit=D("0.41"), held=D(5)), "price_limit"),
    ],
)
def test_what_cannot_be_matched_is_rejected_with_its_reason(standing, order, reason):
    assert execute(standing, order) == Rejection(reason)


def test_a_sell_without_units_sells_all_that_is_held_and_never_more():
    standing = book(bids=[("0.40", 50)], asks=[("0.50", 5)])
    everything = Walk((Leg(D("0.40"), D(7)),), is_depth_limited=False)
    assert execute(standing, MatchOrder("sell", held=D(7))) == everything
    assert execute(standing, MatchOrder("sell", units=D(9), held=D(7))) == everything


@given(bids(min_size=1), asks(min_size=1), sizes, limits)
def test_execute_gives_units_or_a_reason(buying, selling, spend, limit):
    found = execute(Book(1, "out_1", buying, selling, AT, AT, ""), MatchOrder("buy", spend=spend, limit=limit))
    assert isinstance(found, Rejection) or found.units > DUST
