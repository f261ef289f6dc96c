"""Manifold's questions and bets: play money in, records without orders out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer, BadRow, NotAtVendor, VendorAway
from apps.sources.strict import parse_json
from apps.sources.vendors.manifold import VENDOR, feed, wire
from apps.sources.vendors.manifold.check import check
from tests.factories.prediction_wires import MANIFOLD_ID, NOW, Answers, bodies, manifold_market, manifold_resolved
from tests.factories.wires import as_body

D = Decimal
YES, NO = f"manifold:{MANIFOLD_ID}:yes", f"manifold:{MANIFOLD_ID}:no"


def read(raw):
    """Turn a market into a record as it comes over the wire."""
    return feed.as_record(parse_json(as_body(raw)), received_at=NOW)


def bet(number=0, probability=0.25, **changes):
    return {
        "id": f"b{number}",
        "contractId": MANIFOLD_ID,
        "createdTime": 1_782_000_000_000 + number,
        "probAfter": probability,
    } | changes


def test_a_question_is_read_in_its_true_types_and_takes_no_orders():
    record = read(manifold_market())
    assert (record.key, record.slug) == (MANIFOLD_ID, "will-it-rain-in-london-tomorrow")
    assert [(outcome.key, outcome.label) for outcome in record.outcomes] == [(YES, "Yes"), (NO, "No")]
    assert (record.accepts_orders, record.closed, record.resolution) == (False, False, None)
    assert (record.category, record.fee_rate, record.volume) == ("play money", 0, D("205.5"))
    assert record.closes_at == datetime(2026, 6, 23, 7, 33, 20, tzinfo=UTC)
    assert record.vendor_at == datetime(2026, 6, 21, 16, 40, 0, 123000, tzinfo=UTC)
    assert (record.event.key, record.event.title) == (MANIFOLD_ID, "Will it rain in London tomorrow?")


def test_prize_cash_is_told_from_play_money():
    assert read(manifold_market(token="CASH")).category == "prize cash"
    assert read(manifold_market(token=None)).category == "play money"


def test_the_vendor_offers_no_books_because_a_probability_has_no_depth():
    assert VENDOR.offers == ("open_markets", "market_states", "price_history")
    assert VENDOR.quotes_for == ()


def test_a_question_past_its_close_is_closed_though_nobody_has_decided_it():
    record = read(manifold_market(closeTime=1_782_000_000_000))
    assert (record.closed, record.resolution) == (True, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "id"),
        ({"id": "a/b"}, "id has not the form"),
        ({"outcomeType": "MULTIPLE_CHOICE"}, "outcomeType is MULTIPLE_CHOICE: only BINARY is read"),
        ({"question": ""}, "question"),
        ({"isResolved": None}, "isResolved"),
        ({"isResolved": "false"}, "isResolved"),
        ({"closeTime": None}, "closeTime"),
        ({"closeTime": "soon"}, "closeTime"),
        ({"closeTime": 1.5}, "closeTime is not whole milliseconds"),
        ({"closeTime": 10**14}, "closeTime"),
        ({"volume": -1}, "volume"),
        ({"isResolved": True}, "resolution"),
        ({"isResolved": True, "resolution": "MAYBE"}, "resolution is not a known one: MAYBE"),
        ({"isResolved": True, "resolution": "MKT"}, "resolutionProbability"),
        ({"isResolved": True, "resolution": "MKT", "resolutionProbability": 1.5}, "resolutionProbability"),
    ],
)
def test_a_field_that_is_not_believed_is_named(changes, reason):
    with pytest.raises(BadRow, match=reason):
        read(manifold_market(**changes))


@pytest.mark.parametrize(
    ("resolution", "status", "payouts"),
    [("YES", "final", ("1", "0")), ("NO", "final", ("0", "1")), ("MKT", "final", ("0.33", "0.67")), ("CANCEL", "void", ())],
)
def test_an_end_pays_as_it_says_and_a_share_counts_only_when_it_is_the_end(resolution, status, payouts):
    record = read(manifold_resolved(resolution))
    assert (record.resolution.status, record.resolution.payouts) == (status, tuple(map(D, payouts)))
    assert record.closed
    assert record.resolution.resolved_at == datetime(2026, 6, 21, 0, 0, tzinfo=UTC)


def test_a_share_that_is_not_the_end_is_not_even_read():
    assert read(manifold_resolved("YES", resolutionProbability="unknown")).resolution.payouts == (D(1), D(0))


def test_the_list_is_read_by_offset_until_a_page_is_empty_also_when_pages_are_cut_in_silence():
    first = [manifold_market(id=f"a{number}") for number in range(3)]
    caller = Answers(*bodies([*first, manifold_market(id="m", outcomeType="POLL")], [manifold_market(id="b")], []))
    gathered = asyncio.run(feed.open_markets(caller))
    assert [record.key for record in gathered.records] == ["a0", "a1", "a2", "b"]
    assert [rejected.reason for rejected in gathered.rejected] == ["outcomeType is POLL: only BINARY is read"]
    assert [params["offset"] for _, params in caller.asked] == ["0", "4"]
    assert caller.asked[0][0] == "/search-markets"
    assert (caller.asked[0][1]["filter"], caller.asked[0][1]["contractType"]) == ("open", "BINARY")


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"message": "x"}', b""])
def test_a_bad_first_page_is_an_error_and_a_bad_later_one_leaves_the_list_incomplete(body):
    with pytest.raises(BadAnswer):
        asyncio.run(feed.open_markets(Answers(body)))
    gathered = asyncio.run(feed.open_markets(Answers(as_body([manifold_market()]), body)))
    assert (len(gathered.records), len(gathered.rejected), gathered.complete) == (1, 1, False)


def test_states_are_asked_for_one_by_one_and_unknown_ones_are_left_out():
    caller = Answers(as_body(manifold_resolved()), NotAtVendor("gone"), b"<html>", as_body(manifold_market(id="d")))
    gathered = asyncio.run(feed.market_states(caller, ["a", "b", "c", "d"]))
    assert [path for path, _ in caller.asked] == ["/market/a", "/market/b", "/market/c", "/market/d"]
    assert [record.key for record in gathered.records] == [MANIFOLD_ID, "d"]
    assert (len(gathered.rejected), gathered.complete) == (1, False)


def test_a_vendor_that_is_away_is_not_asked_for_every_state():
    with pytest.raises(VendorAway):
        asyncio.run(feed.market_states(Answers(VendorAway("away")), ["a", "b"]))
    caller = Answers(as_body(manifold_market()), VendorAway("away"))
    gathered = asyncio.run(feed.market_states(caller, ["a", "b", "c"]))
    assert (len(gathered.records), gathered.complete, len(caller.asked)) == (1, False, 2)


def test_a_long_watch_list_has_its_turn_bit_by_bit():
    keys = [f"m{number}" for number in range(150)]
    caller = Answers(*[as_body(manifold_market(id=key)) for key in keys[:100]])
    assert len(asyncio.run(feed.market_states(caller, keys)).records) == 100


def test_a_price_history_is_what_bets_moved_the_price_to_oldest_first():
    rows = [bet(2, 0.3), bet(1, 0.25), bet(1, 0.99, id="older"), bet(0, 0.2, contractId="other"), bet(3, 1.5)]
    for key, prices in ((YES, ["0.25", "0.3"]), (NO, ["0.75", "0.7"])):
        caller = Answers(as_body(rows))
        gathered = asyncio.run(feed.price_history(caller, key))
        assert [point.price for point in gathered.records] == list(map(D, prices))
        assert [point.at.microsecond for point in gathered.records] == [1000, 2000]
        assert len(gathered.rejected) == 2
        assert caller.asked == [("/bets", {"contractId": MANIFOLD_ID, "limit": "1000"})]


@pytest.mark.parametrize("key", ["kalshi:X:yes", f"manifold:{MANIFOLD_ID}", f"manifold:{MANIFOLD_ID}:maybe", "manifold:../x:yes"])
def test_nobody_is_asked_for_the_history_of_a_foreign_outcome(key):
    caller = Answers()
    with pytest.raises(NotAtVendor):
        asyncio.run(feed.price_history(caller, key))
    assert caller.asked == []


def test_the_check_counts_what_can_be_read():
    caller = Answers(*bodies([manifold_market(), manifold_market(closeTime=None)], []))
    result = asyncio.run(check(caller))
    assert (result.is_good, result.message) == (True, "1 of 2 questions read: closeTime is missing")
    assert not asyncio.run(check(caller)).is_good


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["BINARY", "MKT", "YES", 0.5, 1_782_000_000_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@given(changes=st.dictionaries(st.sampled_from(sorted(manifold_resolved("MKT"))), junk, max_size=4), whole=junk)
def test_a_bent_question_is_a_record_or_a_bad_row_and_never_a_wrong_payout(changes, whole):
    for raw in ({**manifold_resolved("MKT"), **changes}, whole):
        try:
            record = read(raw)
        except BadRow:
            continue
        assert not record.accepts_orders
        if record.resolution is not None and record.resolution.payouts:
            assert sum(record.resolution.payouts) == 1


@given(st.dictionaries(st.sampled_from(sorted(bet())), junk, max_size=3))
def test_a_bent_bet_is_a_point_or_a_bad_row(changes):
    try:
        point = feed.as_point(parse_json(as_body({**bet(), **changes})), market_id=MANIFOLD_ID, side="no")
    except BadRow:
        return
    assert 0 <= point.price <= 1


@given(st.binary(max_size=200) | junk.map(as_body))
def test_a_fuzzed_body_is_a_bad_answer_or_rows(body):
    for reader in (wire.read_list, wire.read_one):
        try:
            reader(body)
        except BadAnswer:
            continue
