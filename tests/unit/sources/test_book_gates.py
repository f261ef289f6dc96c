"""The gates of books: what is wrong with a book, and one book for each outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.markets import prices as market_prices
from apps.sources.errors import BadRow
from apps.sources.gates import books as gates
from apps.sources.types import BookRecord, Level, PricePoint

NOW = datetime(2026, 6, 8, tzinfo=UTC)
D = Decimal


def levels(*texts: str) -> tuple[Level, ...]:
    """Levels of ten units each."""
    return tuple(Level(D(text), D(10)) for text in texts)


def book(bids=("0.49", "0.48"), asks=("0.51", "0.52"), key="t1", age=timedelta(0)) -> BookRecord:
    return BookRecord(
        outcome_key=key,
        bids=levels(*bids),
        asks=levels(*asks),
        vendor_at=NOW - age,
        received_at=NOW,
        digest=gates.digest_of(levels(*bids), levels(*asks)),
    )


@pytest.mark.parametrize(
    "good",
    [
        book(),
        book(bids=(), asks=()),
        book(bids=("0.01",), asks=("0.99",)),
        book(bids=("0.5",), asks=("0.5",)),
        book(bids=("0.0001",), asks=("0.9999",)),
        book(age=timedelta(hours=24)),
        book(age=timedelta(seconds=-10)),
    ],
)
def test_a_sound_book_passes_as_it_is(good):
    assert gates.believed(good) is good


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (book(bids=("51", "50"), asks=("53",)), "prices are in cents, a hundred times too large: 53"),
        (book(bids=("1",), asks=()), "a price is not between 0 and 1"),
        (book(bids=("0",), asks=()), "a price is not between 0 and 1"),
        (book(bids=(), asks=("-0.2",)), "a price is not between 0 and 1"),
        (book(asks=("510",)), "a price is not between 0 and 1"),
        (book(bids=("0.48", "0.49")), "bids are not best first, each price once"),
        (book(bids=("0.48", "0.48")), "bids are not best first, each price once"),
        (book(asks=("0.52", "0.51")), "asks are not best first, each price once"),
        (book(bids=("0.52",)), "the book is crossed: 0.52 bid above 0.51 asked"),
        (book(age=timedelta(hours=24, seconds=1)), "the book is stale: older than 24 hours"),
        (book(age=timedelta(seconds=-11)), "the book is of the future"),
    ],
)
def test_a_book_that_cannot_be_believed_says_why(bad, reason):
    with pytest.raises(BadRow) as refused:
        gates.believed(bad)
    assert refused.value.reason == reason


prices = st.decimals(min_value=D("-2"), max_value=D(150), places=3)


@given(bids=st.lists(prices, max_size=4), asks=st.lists(prices, max_size=4))
def test_what_the_gates_believe_the_store_believes_too(bids, asks):
    found = replace(book(), bids=levels(*map(str, bids)), asks=levels(*map(str, asks)))
    if not gates.fault_of(found):
        assert market_prices.fault_of_book(found.bids, found.asks) == ""


def test_one_book_for_each_outcome_and_the_newest():
    first, second, other = book(age=timedelta(seconds=5)), book(bids=("0.47",)), book(key="t2")
    third = book(bids=("0.46",), age=timedelta(seconds=5))
    kept, rejected = gates.once((first, other, second, third))
    assert kept == (second, other)
    assert [(row.reason, row.key) for row in rejected] == [("a second book of the outcome", "t1")] * 2


def test_a_price_history_is_put_in_order_and_a_contradiction_is_named():
    def point(second, price):
        return PricePoint(outcome_key="t1", at=NOW + timedelta(seconds=second), price=D(price))

    given_points = (point(2, "0.3"), point(0, "0.1"), point(1, "0.2"), point(1, "0.2"), point(1, "0.9"))
    ordered, rejected = gates.in_order(given_points)
    assert ordered == (point(0, "0.1"), point(1, "0.2"), point(2, "0.3"))
    assert [row.reason for row in rejected] == ["a second price of the moment"]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["0.1", "0.2"])), max_size=12),
)
def test_no_history_tells_two_prices_of_one_moment(said):
    points = tuple(PricePoint(outcome_key="t1", at=NOW + timedelta(seconds=second), price=D(price)) for second, price in said)
    moments = [point.at for point in gates.in_order(points)[0]]
    assert moments == sorted(set(moments))
    assert set(moments) == {point.at for point in points}
