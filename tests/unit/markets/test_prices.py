"""Prices, spreads and the faults of books."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.markets import prices
from apps.markets.types import Level

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CENTS = st.integers(0, 100).map(lambda cents: Decimal(cents) / 100)
UNITS = st.integers(0, 10_000).map(Decimal)


def levels(*pairs):
    return tuple(Level(Decimal(price), Decimal(units)) for price, units in pairs)


@given(CENTS, CENTS, UNITS, UNITS)
def test_microprice_lies_between_bid_and_ask(one, other, bid_units, ask_units):
    bid, ask = sorted((one, other))
    assert bid <= prices.microprice(bid, ask, bid_units, ask_units) <= ask


@given(CENTS, CENTS, UNITS.filter(bool))
def test_microprice_of_equal_depth_is_the_mid(one, other, units):
    bid, ask = sorted((one, other))
    assert prices.microprice(bid, ask, units, units) == prices.mid(bid, ask)


def test_microprice_leans_to_the_ask_when_buyers_are_many():
    assert prices.microprice(Decimal("0.4"), Decimal("0.6"), Decimal(90), Decimal(10)) == Decimal("0.58")


def test_microprice_without_depth_is_the_mid():
    assert prices.microprice(Decimal("0.4"), Decimal("0.6"), Decimal(0), Decimal(0)) == Decimal("0.5")


@pytest.mark.parametrize(("bid", "ask"), [(None, Decimal("0.5")), (Decimal("0.5"), None), (None, None)])
def test_a_one_sided_book_has_neither_mid_nor_spread(bid, ask):
    assert (prices.mid(bid, ask), prices.spread(bid, ask)) == (None, None)


def test_overround_is_what_all_outcomes_cost_above_one():
    assert prices.overround([Decimal("0.55"), Decimal("0.48")]) == Decimal("0.03")


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [
        ("0.01", "0.99", True),
        (None, None, True),
        ("0.001", None, True),
        (None, "0.999", True),
        ("0.02", "0.99", False),
        ("0.01", "0.98", False),
        (None, "0.50", False),
    ],
)
def test_a_placeholder_bids_a_cent_at_most_and_asks_99_at_least(bid, ask, expected):
    assert prices.is_placeholder(bid and Decimal(bid), ask and Decimal(ask)) is expected


def test_freshness_ends_after_its_limit():
    confirmed_at = NOW - timedelta(seconds=30)
    assert prices.is_fresh(confirmed_at, now=NOW, age_max_s=30)
    assert not prices.is_fresh(confirmed_at, now=NOW, age_max_s=29.9)


def test_a_price_confirmed_after_the_tick_began_has_no_negative_age():
    assert prices.age_s(NOW + timedelta(seconds=1), now=NOW) == 0


@pytest.mark.parametrize(
    ("bids", "asks", "fault"),
    [
        ([("0.5", 1), ("0.4", 1)], [("0.6", 1), ("0.7", 1)], ""),
        ([], [], ""),
        ([("0.5", 1)], [("0.5", 1)], ""),
        ([("0.6", 1)], [("0.5", 1)], "crossed"),
        ([("-0.1", 1)], [], "outside"),
        ([], [("1.01", 1)], "outside"),
        ([("0.5", 0)], [], "units"),
        ([("0.5", "NaN")], [], "units"),
        ([("0.5", "Infinity")], [], "units"),
        ([("0.5", "1e16")], [], "units"),
        ([("NaN", 1)], [], "outside"),
        ([("0.4", 1), ("0.5", 1)], [], "unsorted"),
        ([], [("0.7", 1), ("0.6", 1)], "unsorted"),
    ],
)
def test_each_fault_of_a_book_is_named(bids, asks, fault):
    assert prices.fault_of_book(levels(*bids), levels(*asks)) == fault


@given(st.lists(st.tuples(CENTS, st.integers(1, 9)), max_size=8), st.lists(st.tuples(CENTS, st.integers(1, 9)), max_size=8))
def test_only_crossing_faults_a_book_that_is_sorted_and_inside(bids, asks):
    bids, asks = sorted(bids, reverse=True), sorted(asks)
    is_crossed = bool(bids and asks) and bids[0][0] > asks[0][0]
    assert prices.fault_of_book(levels(*bids), levels(*asks)) == ("crossed" if is_crossed else "")
