"""The CLOB's books and histories: texts in, sorted levels out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer, BadRow, VendorAway
from apps.sources.ports import Reply
from apps.sources.strict import parse_json
from apps.sources.types import Level
from apps.sources.vendors.polymarket_clob import feed
from tests.factories import wires
from tests.factories.wires import TOKENS, as_body

NOW = datetime(2026, 6, 8, tzinfo=UTC)
ASKED = frozenset(TOKENS)


def clob_book(**changes):
    """A book of five minutes before NOW."""
    return wires.clob_book(**{"timestamp": "1780876500123", **changes})


class Answers:
    """A caller that answers from a list of bodies and keeps the questions."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)
        self.asked: list[Any] = []

    async def get(self, path, params=(), headers=()):
        self.asked.append((path, dict(params)))
        return Reply(body=self.bodies.pop(0), received_at=NOW)

    async def post(self, path, body, *, repeatable=True):
        self.asked.append((path, body))
        return Reply(body=self.bodies.pop(0), received_at=NOW)


def read(**changes):
    return feed.as_record(clob_book(**changes), asked=ASKED, received_at=NOW)


def test_a_book_is_read_best_level_first():
    book = read()
    assert book.bids == (Level(Decimal("0.49"), Decimal("20.5")), Level(Decimal("0.4"), Decimal(100)))
    assert book.asks == (Level(Decimal("0.51"), Decimal(3)), Level(Decimal("0.6"), Decimal(7)))
    assert (book.outcome_key, book.received_at) == (TOKENS[0], NOW)
    assert book.vendor_at == datetime(2026, 6, 7, 23, 55, 0, 123000, tzinfo=UTC)


def test_an_empty_side_is_a_book_too():
    assert read(bids=[], asks=[]).bids == ()


def test_the_digest_knows_levels_and_neither_times_nor_spellings():
    assert read(timestamp="1780876509999", hash="ff").digest == read().digest
    assert read(bids=[{"price": "0.490", "size": "20.50"}, {"price": "0.40", "size": "100.0"}]).digest == read().digest
    assert read(bids=[{"price": "0.49", "size": "20.6"}, {"price": "0.4", "size": "100"}]).digest != read().digest
    assert read(bids=[], asks=clob_book()["bids"]).digest != read(asks=[]).digest


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"asset_id": None}, "asset_id"),
        ({"asset_id": "3"}, "asset_id"),
        ({"timestamp": 1780876500123}, "timestamp"),
        ({"timestamp": "now"}, "timestamp"),
        ({"bids": None}, "bids"),
        ({"bids": {}}, "bids"),
        ({"bids": ["0.5"]}, "bids"),
        ({"bids": [{"price": 0.5, "size": "1"}]}, "bids price"),
        ({"bids": [{"price": "1.0", "size": "1"}]}, "a price is not between 0 and 1"),
        ({"bids": [{"price": "51", "size": "1"}]}, "in cents, a hundred times too large: 51"),
        ({"bids": [{"price": "100", "size": "1"}]}, "bids price"),
        ({"bids": [{"price": "0.52", "size": "1"}]}, "crossed: 0.52 bid above 0.51 asked"),
        ({"timestamp": "1780790340000"}, "stale: older than 24 hours"),
        ({"timestamp": "1780876830000"}, "of the future"),
        ({"asks": [{"price": "0", "size": "1"}]}, "asks price"),
        ({"asks": [{"price": "0.5", "size": "0"}]}, "asks size"),
        ({"asks": [{"price": "0.5", "size": "-1"}]}, "asks size"),
        ({"asks": [{"price": "0.5"}]}, "asks size"),
        ({"asks": [{"price": "0.5", "size": "1"}, {"price": "0.50", "size": "2"}]}, "asks names one price twice"),
    ],
)
def test_a_field_that_is_not_believed_is_named(changes, field):
    with pytest.raises(BadRow, match=field):
        read(**changes)


def test_books_are_asked_for_a_hundred_at_once_and_missing_ones_are_left_out():
    keys = [str(number) for number in range(150)]
    caller = Answers(as_body([clob_book(asset_id=key) for key in keys[:99]]), as_body([clob_book(asset_id=keys[149])]))
    gathered = asyncio.run(feed.books(caller, keys))
    assert [len(body) for _, body in caller.asked] == [100, 50]
    assert caller.asked[0][1][0] == {"token_id": "0"}
    assert len(gathered.records) == 100


def test_one_bad_book_stops_no_other_and_each_says_why():
    ask_for = [TOKENS[0], TOKENS[1], "3", "4", "5"]
    rows = [
        clob_book(),
        clob_book(asset_id="3", bids=[{"price": "0.7", "size": "1"}]),
        clob_book(asset_id="4", asks=[{"price": "51", "size": "1"}]),
        clob_book(asset_id="5", timestamp="1"),
        clob_book(timestamp="1780876400123"),
        "junk",
    ]
    gathered = asyncio.run(feed.books(Answers(as_body(rows)), ask_for))
    assert [book.outcome_key for book in gathered.records] == [TOKENS[0]]
    assert [rejected.key for rejected in gathered.rejected] == ["3", "4", "5", "", TOKENS[0]]
    assert [rejected.reason[:20] for rejected in gathered.rejected] == [
        "the book is crossed:",
        "prices are in cents,",
        "the book is stale: o",
        "the row is not an ob",
        "a second book of the",
    ]


def test_a_book_whose_tick_has_become_finer_or_of_negative_risk_is_a_book_like_others():
    fine = read(tick_size="0.001", neg_risk=True, min_order_size="15", asks=[{"price": "0.9995", "size": "3"}])
    assert fine.asks == (Level(Decimal("0.9995"), Decimal(3)),)
    assert read(tick_size=None, neg_risk=None, min_order_size=None).bids == read().bids


def test_a_vendor_that_goes_away_in_the_middle_leaves_the_books_that_came():
    class Away(Answers):
        async def post(self, path, body, *, repeatable=True):
            if len(self.asked) == 1:
                raise VendorAway("away")
            return await super().post(path, body)

    keys = [str(number) for number in range(101)]
    gathered = asyncio.run(feed.books(Away(as_body([clob_book(asset_id="5")])), keys))
    assert (len(gathered.records), gathered.complete) == (1, False)


def test_a_history_comes_oldest_first_and_each_moment_once():
    body = as_body({"history": [{"t": 1780876560, "p": 0.6}, {"t": 1780876500, "p": 0.5}, {"t": 1780876560, "p": 0.7}]})
    gathered = asyncio.run(feed.price_history(Answers(body), TOKENS[0]))
    assert [point.price for point in gathered.records] == [Decimal("0.5"), Decimal("0.6")]
    assert [rejected.reason for rejected in gathered.rejected] == ["a second price of the moment"]


def test_nobody_is_asked_for_no_books():
    caller = Answers()
    assert asyncio.run(feed.books(caller, [])).records == ()
    assert caller.asked == []


def test_a_bad_first_answer_is_an_error_and_a_bad_later_one_leaves_the_books_incomplete():
    with pytest.raises(BadAnswer):
        asyncio.run(feed.books(Answers(b"<html>"), ["1"]))
    keys = [str(number) for number in range(101)]
    gathered = asyncio.run(feed.books(Answers(as_body([clob_book(asset_id="5")]), b"{}"), keys))
    assert (len(gathered.records), len(gathered.rejected), gathered.complete) == (1, 1, False)


def test_a_history_is_read_point_by_point_and_a_bad_point_is_named():
    caller = Answers(as_body({"history": [{"t": 1780876500, "p": 0.505}, {"t": "x", "p": 0.5}, {"t": 1780876560, "p": 1.5}]}))
    gathered = asyncio.run(feed.price_history(caller, TOKENS[0]))
    assert [(point.at, point.price) for point in gathered.records] == [
        (datetime(2026, 6, 7, 23, 55, tzinfo=UTC), Decimal("0.505")),
    ]
    assert [rejected.reason for rejected in gathered.rejected] == ["t is not whole seconds", "p is not between 0 and 1"]
    assert caller.asked[0][1]["market"] == TOKENS[0]


@pytest.mark.parametrize("body", [b"[]", b'{"history": null}', b'{"error": "x"}', b"null"])
def test_a_history_of_the_wrong_shape_is_refused_whole(body):
    with pytest.raises(BadAnswer):
        asyncio.run(feed.price_history(Answers(body), TOKENS[0]))


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["price", "size", "x"]), inner, max_size=3),
    max_leaves=6,
)


@given(changes=st.dictionaries(st.sampled_from(sorted(clob_book())), junk, max_size=3), whole=junk)
def test_a_bent_book_is_a_sorted_record_or_a_bad_row(changes, whole):
    for value in ({**clob_book(), **changes}, whole):
        try:
            book = feed.as_record(parse_json(as_body(value)), asked=ASKED, received_at=NOW)
        except BadRow:
            continue
        assert [level.price for level in book.bids] == sorted((level.price for level in book.bids), reverse=True)
        assert [level.price for level in book.asks] == sorted(level.price for level in book.asks)
        assert all(0 < level.price < 1 and level.units > 0 for level in (*book.bids, *book.asks))
