"""Kalshi's markets and books: two writings of money in, records out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import DeskError
from apps.sources.errors import BadAnswer, BadRow, NotAtVendor, VendorAway, VendorRefused
from apps.sources.strict import parse_json
from apps.sources.types import Level
from apps.sources.vendors.kalshi import feed, orderbook, wire
from apps.sources.vendors.kalshi.check import check
from tests.factories.prediction_wires import (
    NOW,
    TICKER,
    Answers,
    bodies,
    kalshi_book,
    kalshi_event,
    kalshi_market,
    kalshi_old_market,
    kalshi_settled,
)
from tests.factories.wires import as_body

D = Decimal
YES, NO = f"kalshi:{TICKER}:yes", f"kalshi:{TICKER}:no"


def read(raw):
    """Turn a market into a record as it comes over the wire."""
    return feed.as_record(parse_json(as_body(raw)))


def read_books(value):
    """Turn a book into records as it comes over the wire."""
    return feed.as_books(parse_json(as_body(value)), ticker=TICKER, received_at=NOW)


def test_a_market_is_read_in_its_true_types():
    record = read(kalshi_market())
    assert (record.key, record.slug) == (TICKER, TICKER.lower())
    assert record.question == "Will the high temp in NYC be >85° on Jun 22, 2026? (86° or above)"
    assert [(outcome.key, outcome.label) for outcome in record.outcomes] == [(YES, "Yes"), (NO, "No")]
    assert (record.fee_rate, record.tick_size, record.min_units) == (D("0.07"), D("0.01"), D("0.01"))
    assert record.volume == D("1205.50")
    assert record.closes_at == datetime(2026, 6, 23, 4, 59, tzinfo=UTC)
    assert record.vendor_at == datetime(2026, 6, 21, 18, 27, 45, 170256, tzinfo=UTC)
    assert (record.accepts_orders, record.closed, record.resolution) == (True, False, None)


def test_an_old_market_is_read_as_a_new_one():
    old = read(kalshi_old_market())
    assert (old.volume, old.min_units, old.tick_size) == (D(1205), D(1), D("0.01"))
    assert old.outcomes == read(kalshi_market()).outcomes


def test_an_open_market_knows_its_event_and_a_state_does_not():
    row = wire.read_page(as_body({"events": [kalshi_event(kalshi_market())], "cursor": ""}))[0][0]
    record = read(row)
    assert (record.event.key, record.event.title) == ("KXHIGHNY-26JUN22", "Highest temperature in NYC on Jun 22, 2026?")
    assert (record.category, record.event.category) == ("climate and weather", "climate and weather")
    alone = read(kalshi_market())
    assert (alone.event.key, alone.event.title, alone.category) == ("KXHIGHNY-26JUN22", "", "")


def test_what_yes_means_is_said_once():
    assert read(kalshi_market(title="Mars before 2099?", yes_sub_title="mars")).question == "Mars before 2099?"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ticker": None}, "ticker"),
        ({"ticker": "no spaces please"}, "ticker has not the form"),
        ({"event_ticker": None}, "event_ticker"),
        ({"close_time": None}, "close_time"),
        ({"status": "sleeping"}, "status is not a known one: sleeping"),
        ({"status": None}, "status is not a known one: nothing"),
        ({"result": "maybe"}, "result is not a known one"),
        ({"yes_bid": 41}, "yes_bid and yes_bid_dollars differ"),
        ({"yes_bid": 0.42}, "yes_bid and yes_bid_dollars differ"),
        ({"yes_bid": "42"}, "yes_bid is not a number"),
        ({"yes_bid_dollars": 0.42}, "yes_bid_dollars is not a text"),
        ({"yes_bid_dollars": "42"}, "yes_bid_dollars is not between 0 and 1"),
        ({"no_ask": 5800}, "no_ask is not between"),
        ({"volume": 1207}, "volume and volume_fp differ"),
        ({"volume_fp": "-1"}, "volume_fp"),
        ({"price_ranges": [{"step": "0"}]}, "step"),
        ({"price_ranges": ["0.01"]}, "not an object"),
        ({"title": None, "yes_sub_title": None}, "yes_sub_title"),
        ({"fractional_trading_enabled": "yes"}, "fractional_trading_enabled"),
        ({"settlement_value": 100, "settlement_value_dollars": "0.0000"}, "settlement_value and settlement_value_dollars differ"),
    ],
)
def test_a_field_that_is_not_believed_is_named(changes, reason):
    with pytest.raises(BadRow, match=reason):
        read(kalshi_market(**changes))


def test_parts_of_a_cent_do_not_contradict_whole_cents():
    assert read(kalshi_market(yes_ask=44, volume=1205)).volume == D("1205.50")


@pytest.mark.parametrize("status", ["initialized", "inactive", "closed", "determined", "disputed", "amended", "finalized"])
def test_only_an_active_market_takes_orders(status):
    assert not read(kalshi_market(status=status)).accepts_orders


@pytest.mark.parametrize(
    ("changes", "status", "payouts"),
    [
        ({}, "final", ("1", "0")),
        ({"result": "no", "settlement_value_dollars": "0.0000"}, "final", ("0", "1")),
        ({"result": "no", "settlement_value_dollars": None, "settlement_value": 0}, "final", ("0", "1")),
        ({"settlement_value_dollars": None}, "final", ("1", "0")),
        ({"result": "scalar", "settlement_value_dollars": "0.3500"}, "final", ("0.35", "0.65")),
        ({"status": "determined"}, "proposed", ("1", "0")),
        ({"status": "amended"}, "proposed", ("1", "0")),
        ({"status": "disputed"}, "disputed", ("1", "0")),
        ({"result": "void", "settlement_value_dollars": None}, "void", ()),
        ({"result": "void", "status": "determined", "settlement_value_dollars": None}, "proposed", ()),
    ],
)
def test_an_end_is_read_with_its_stage_and_payouts(changes, status, payouts):
    resolution = read(kalshi_settled(**changes)).resolution
    assert (resolution.status, resolution.payouts) == (status, tuple(map(D, payouts)))
    assert resolution.resolved_at == datetime(2026, 6, 23, 11, 10, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "closed"},
        {"status": "active"},
        {"result": ""},
        {"result": "scalar", "settlement_value_dollars": None},
        {"result": "scalar", "settlement_value_dollars": ""},
    ],
)
def test_anything_less_is_not_yet_an_end(changes):
    assert read(kalshi_settled(**changes)).resolution is None


def test_a_result_against_its_own_value_is_not_believed():
    with pytest.raises(BadRow, match="result is no and settlement_value is 1"):
        read(kalshi_settled(result="no"))


def test_all_pages_of_events_are_read_and_the_most_traded_markets_come_first():
    first = kalshi_event(kalshi_market(ticker="A", volume_fp="1"), kalshi_market(ticker="B", volume_fp="3"))
    caller = Answers(
        *bodies(
            {"events": [first, kalshi_event(markets=None), "junk"], "cursor": "next"},
            {"events": [kalshi_event(kalshi_market(ticker="C", volume_fp="2"), 7)], "cursor": ""},
        )
    )
    gathered = asyncio.run(feed.open_markets(caller))
    assert [record.key for record in gathered.records] == ["B", "C", "A"]
    assert [rejected.reason for rejected in gathered.rejected] == ["the row is not an object"] * 2
    assert gathered.complete
    assert caller.asked[0] == ("/events", {"limit": "100", "status": "open", "with_nested_markets": "true"})
    assert caller.asked[1][1]["cursor"] == "next"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"events": 5}', b'{"error": {"code": "x"}}'])
def test_a_bad_first_page_is_an_error_and_a_bad_later_one_leaves_the_list_incomplete(body):
    with pytest.raises(BadAnswer):
        asyncio.run(feed.open_markets(Answers(body)))
    page = as_body({"events": [kalshi_event(kalshi_market())], "cursor": "a"})
    gathered = asyncio.run(feed.open_markets(Answers(page, body)))
    assert (len(gathered.records), len(gathered.rejected), gathered.complete) == (1, 1, False)


def test_states_are_asked_for_a_hundred_at_once():
    keys = [f"T-{number}" for number in range(130)]
    answers = bodies({"markets": [kalshi_settled(ticker=key) for key in keys[:99]]}, {"markets": [kalshi_market(ticker="T-129")]})
    caller = Answers(*answers)
    gathered = asyncio.run(feed.market_states(caller, keys))
    assert len(gathered.records) == 100
    assert [len(params["tickers"].split(",")) for _, params in caller.asked] == [100, 30]
    incomplete = asyncio.run(feed.market_states(Answers(answers[0], VendorAway("away")), keys))
    assert (len(incomplete.records), incomplete.complete) == (99, False)


def test_a_book_of_bids_is_two_books_whose_asks_are_the_other_sides_bids():
    yes, no = read_books({"orderbook_fp": kalshi_book()})
    assert yes.bids == (Level(D("0.42"), D("13.5")), Level(D("0.41"), D(7)))
    assert yes.asks == (Level(D("0.445"), D(20)),)
    assert no.bids == (Level(D("0.555"), D(20)),)
    assert no.asks == (Level(D("0.58"), D("13.5")), Level(D("0.59"), D(7)))
    assert (yes.outcome_key, no.outcome_key, yes.vendor_at) == (YES, NO, NOW)


@pytest.mark.parametrize(
    "book",
    [
        {"orderbook": {"yes": [[41, 7], [42, 13]], "no": [[55, 20]]}},
        {"orderbook": {"yes": [[41, 7], [42, 13]], "no": [[55, 20]], "yes_dollars": [["0.4100", 7], ["0.4200", 13]]}},
        {"orderbook": {"yes": None, "no": [[55, 20]], "yes_dollars": [["0.4100", 7], ["0.4200", 13]], "no_dollars": None}},
        {"orderbook_fp": {"yes_dollars": [["0.42", "13.00"], ["0.41", "7"]], "no_dollars": [["0.55", "20.00"]]}},
    ],
)
def test_every_writing_of_a_book_is_the_same_book(book):
    yes, no = read_books(book)
    assert yes.bids == (Level(D("0.42"), D(13)), Level(D("0.41"), D(7)))
    assert no.bids == (Level(D("0.55"), D(20)),)


def test_a_book_that_nobody_quotes_is_a_book_too():
    empty = {"orderbook": {"no": None, "no_dollars": None, "yes": None, "yes_dollars": None}}
    assert [(book.bids, book.asks) for book in read_books(empty)] == [((), ()), ((), ())]


@pytest.mark.parametrize(
    ("book", "reason"),
    [
        ({"yes": [[41, 7]], "yes_dollars": [["0.4200", 7]]}, "yes and yes_dollars differ"),
        ({"yes": [[41, 7], [41, 8]]}, "names one price twice"),
        ({"yes": [[41]]}, "not a level"),
        ({"yes": [["0.41", 7]]}, "yes price is not a number"),
        ({"yes": [[0, 7]]}, "yes price is 0"),
        ({"yes": [[41, 0]]}, "yes count is 0"),
        ({"yes": [[100, 7]]}, "not between 0 and 1"),
        ({"no_dollars": [["55", "20"]]}, "a price is not between 0 and 1"),
        ({"no_dollars": [[0.55, "20"]]}, "no price is not a text"),
        ({"yes": [[60, 7]], "no": [[55, 7]]}, "crossed: 0.6 bid above 0.45 asked"),
        ({"yes": {}}, "yes is not a list"),
        ({"yes": [[1, 1]] * 2001}, "more than 2000"),
    ],
)
def test_a_book_that_is_not_believed_says_why(book, reason):
    with pytest.raises(BadRow, match=reason):
        read_books({"orderbook": book})


def test_books_are_asked_for_once_a_market_and_one_bad_one_stops_no_other():
    good = as_body({"orderbook_fp": kalshi_book()})
    crossed = as_body({"orderbook_fp": kalshi_book(no_dollars=[["0.7", "1"]])})
    answers: dict[str, bytes | DeskError] = {
        "A": good,
        "B": b"<html>",
        "C": NotAtVendor("gone"),
        "D": VendorAway("away"),
        "E": crossed,
        "F-1.5": good,
    }
    caller = Answers(by_path={f"/markets/{ticker}/orderbook": answer for ticker, answer in answers.items()})
    keys = [f"kalshi:{ticker}:{side}" for ticker in answers for side in ("yes", "no")]
    gathered = asyncio.run(feed.books(caller, [*keys[:-1], "polymarket:1", "kalshi:A:maybe"]))
    assert [book.outcome_key for book in gathered.records] == ["kalshi:A:yes", "kalshi:A:no", "kalshi:F-1.5:yes"]
    assert sorted(rejected.reason[:20] for rejected in gathered.rejected) == [
        "not a key of this ve",
        "not a key of this ve",
        "the body is HTML (JS",
        "the book is crossed:",
    ]
    assert not gathered.complete
    assert len(caller.asked) == 6


def test_nobody_is_asked_for_no_books():
    caller = Answers()
    assert asyncio.run(feed.books(caller, [])).records == ()
    assert caller.asked == []


@pytest.mark.parametrize("error", [VendorAway("away"), VendorRefused("no")])
def test_when_no_book_can_be_had_the_first_error_is_raised_and_nobody_is_asked_further(error):
    tickers = [f"T{number}" for number in range(30)]
    caller = Answers(by_path={f"/markets/{ticker}/orderbook": error for ticker in tickers})
    with pytest.raises(type(error)):
        asyncio.run(feed.books(caller, [f"kalshi:{ticker}:yes" for ticker in tickers]))
    assert len(caller.asked) == 8


def test_a_vendor_that_goes_away_in_the_middle_leaves_what_was_read():
    tickers = [f"T{number}" for number in range(30)]
    good = as_body({"orderbook_fp": kalshi_book()})
    answers: dict[str, bytes | DeskError] = {f"/markets/T{n}/orderbook": good if n < 8 else VendorAway("away") for n in range(30)}
    caller = Answers(by_path=answers)
    gathered = asyncio.run(feed.books(caller, [f"kalshi:{ticker}:yes" for ticker in tickers]))
    assert (len(gathered.records), gathered.complete, len(caller.asked)) == (8, False, 16)


def test_the_check_counts_what_can_be_read():
    caller = Answers(*bodies({"markets": [kalshi_market(), kalshi_market(status="x")]}, {"markets": []}))
    result = asyncio.run(check(caller))
    assert (result.is_good, result.message) == (True, "1 of 2 markets read: status is not a known one: x")
    assert not asyncio.run(check(caller)).is_good


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["0.5000", "yes", "finalized", "2026-06-23T04:59:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["step", "title", "x"]), inner, max_size=3),
    max_leaves=6,
)


@given(changes=st.dictionaries(st.sampled_from(sorted({*kalshi_old_market(), *kalshi_settled(), "event"})), junk, max_size=4))
def test_a_bent_market_is_a_record_or_a_bad_row_and_never_a_wrong_payout(changes):
    try:
        record = read({**kalshi_settled(), **changes})
    except BadRow:
        return
    if record.resolution is not None and record.resolution.payouts:
        assert sum(record.resolution.payouts) == 1
        assert all(0 <= payout <= 1 for payout in record.resolution.payouts)


@given(side=junk, other=junk, whole=junk)
def test_a_bent_book_is_two_sorted_books_or_a_bad_row(side, other, whole):
    for value in ({"orderbook_fp": {"yes_dollars": side, "no_dollars": other}}, {"orderbook": {"yes": side, "no": other}}, whole):
        try:
            pair = read_books(value)
        except BadRow:
            continue
        for book in pair:
            assert [level.price for level in book.bids] == sorted((level.price for level in book.bids), reverse=True)
            assert all(0 < level.price < 1 and level.units > 0 for level in (*book.bids, *book.asks))


@given(st.binary(max_size=200) | junk.map(as_body))
def test_a_fuzzed_body_is_a_bad_answer_or_rows(body):
    for reader in (wire.read_page, orderbook.read_orderbook):
        try:
            reader(body)
        except BadAnswer:
            continue
