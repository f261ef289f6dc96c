"""What becomes of each book of a fetch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.markets.fates import fate_of, sort_books
from apps.markets.types import Price
from apps.sources.types import BookRecord, Level

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def book(**changes) -> BookRecord:
    bids, asks = (Level(Decimal("0.50"), Decimal(10)),), (Level(Decimal("0.52"), Decimal(10)),)
    base = BookRecord(outcome_key="t1", bids=bids, asks=asks, vendor_at=NOW, received_at=NOW, digest="a")
    return replace(base, **changes)


def price(**changes) -> Price:
    base = Price("out_1", 1, None, None, None, None, NOW, NOW, NOW, "a")
    return replace(base, **changes)


def test_a_first_book_is_new():
    assert fate_of(book(), "out_1", None) == "new"


def test_the_same_digest_is_unchanged():
    assert fate_of(book(received_at=NOW + SECOND), "out_1", price()) == "unchanged"


def test_another_digest_seen_later_is_new():
    assert fate_of(book(received_at=NOW + SECOND, digest="b"), "out_1", price()) == "new"


def test_an_older_vendor_time_is_older_even_when_seen_later():
    assert fate_of(book(received_at=NOW + SECOND, vendor_at=NOW - SECOND, digest="b"), "out_1", price()) == "older"


def test_another_book_seen_before_the_last_confirmation_is_older():
    late = book(received_at=NOW + SECOND, digest="b")
    assert fate_of(late, "out_1", price(confirmed_at=NOW + 2 * SECOND)) == "older"


def test_a_book_from_the_future_is_invalid():
    assert fate_of(book(vendor_at=NOW + timedelta(minutes=1)), "out_1", None) == "invalid"


def test_a_crossed_book_is_invalid():
    assert fate_of(book(bids=(Level(Decimal("0.6"), Decimal(1)),)), "out_1", None) == "invalid"


def test_a_book_of_no_outcome_of_ours_is_unknown():
    assert fate_of(book(), "", None) == "unknown"


def test_of_two_books_of_one_outcome_the_newer_counts():
    sorted_books = sort_books(
        [book(digest="x"), book(digest="y", received_at=NOW + SECOND)], outcome_ids={"t1": "out_1"}, stored={}
    )
    assert sorted_books.new["out_1"].digest == "y"
    assert sorted_books.count("older") == 1


def test_placeholders_are_counted_among_the_new():
    empty = book(bids=(Level(Decimal("0.01"), Decimal(5)),), asks=(Level(Decimal("0.99"), Decimal(5)),))
    assert sort_books([empty], outcome_ids={"t1": "out_1"}, stored={}).placeholders() == 1


BOOKS = st.lists(
    st.builds(
        lambda key, at, vendor, digest: book(
            outcome_key=key, received_at=NOW + at * SECOND, vendor_at=NOW + vendor * SECOND, digest=digest
        ),
        st.sampled_from(["t1", "t2", "t3"]),
        st.integers(0, 5),
        st.integers(-3, 3),
        st.sampled_from("abc"),
    )
)


@given(BOOKS)
def test_every_book_has_exactly_one_fate(books):
    stored = {"out_1": price(), "out_2": price(outcome_id="out_2", digest="b")}
    fates = sort_books(books, outcome_ids={"t1": "out_1", "t2": "out_2"}, stored=stored)
    assert len(fates.new) + len(fates.unchanged) + len(fates.refused) == len(books)
    assert not set(fates.new) & set(fates.unchanged)


@given(BOOKS)
def test_what_is_new_differs_from_what_is_stored_and_is_not_older(books):
    stored = {"out_1": price()}
    for outcome_id, found in sort_books(books, outcome_ids={"t1": "out_1"}, stored=stored).new.items():
        assert found.digest != stored[outcome_id].digest
        assert found.vendor_at >= NOW
        assert found.received_at > NOW
