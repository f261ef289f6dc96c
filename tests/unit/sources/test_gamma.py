"""Gamma's markets: true types in, records out, and when a market has really ended."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.ports import Reply
from apps.sources.strict import parse_json
from apps.sources.vendors.polymarket_gamma import feed, wire
from tests.factories.wires import CONDITION_ID, TOKENS, as_body, gamma_market, settled

NOW = datetime(2026, 6, 8, tzinfo=UTC)


class Pages:
    """A caller that answers from a list of bodies and keeps the questions."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)
        self.asked: list[Any] = []

    async def get(self, path, params=(), headers=()):
        self.asked.append((path, params))
        return Reply(body=self.bodies.pop(0), received_at=NOW)

    async def post(self, path, body, *, repeatable=True):
        raise AssertionError("Gamma is never posted to")


def page(*rows, cursor=None) -> bytes:
    return as_body({"markets": list(rows), **({"next_cursor": cursor} if cursor else {})})


def read(raw):
    """Turn a market into a record as it comes over the wire."""
    return feed.as_record(parse_json(as_body(raw)))


def key_of(number: int) -> str:
    return f"0x{number:064x}"


def test_a_market_is_read_in_its_true_types():
    record = read(gamma_market())
    assert (record.key, record.slug, record.question) == (CONDITION_ID, "btc-up-or-down", "Bitcoin up or down?")
    assert [(outcome.key, outcome.label) for outcome in record.outcomes] == [(TOKENS[0], "Up"), (TOKENS[1], "Down")]
    assert (record.fee_rate, record.tick_size, record.min_units) == (Decimal("0.07"), Decimal("0.01"), Decimal(5))
    assert record.volume == Decimal("30335.869374999984")
    assert record.closes_at == datetime(2026, 6, 8, tzinfo=UTC)
    assert record.opens_at == datetime(2026, 6, 7, 0, 2, 58, 730402, tzinfo=UTC)
    assert (record.category, record.event.key, record.event.title) == ("crypto", "77", "Bitcoin today")
    assert record.event.starts_at == datetime(2026, 6, 7, 23, 55, tzinfo=UTC)
    assert (record.accepts_orders, record.closed, record.resolution) == (True, False, None)


def test_a_market_without_an_event_is_an_event_of_its_own():
    record = read(gamma_market(events=None))
    assert (record.event.key, record.event.title) == (CONDITION_ID, "Bitcoin up or down?")


@pytest.mark.parametrize("changes", [{"acceptingOrders": False}, {"active": False}, {"closed": True}, {"archived": True}])
def test_a_market_that_is_not_wholly_open_takes_no_orders(changes):
    assert not read(gamma_market(**changes)).accepts_orders


def test_volume_as_a_number_stands_in_for_a_missing_text():
    assert read(gamma_market(volume=None)).volume == Decimal("30335.869374999984")
    assert read(gamma_market(volume=None, volumeNum=None)).volume == 0


def test_a_market_without_fees_costs_nothing():
    assert read(gamma_market(feesEnabled=False, feeSchedule=None)).fee_rate == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"conditionId": None}, "conditionId"),
        ({"conditionId": "0xAB"}, "conditionId"),
        ({"endDate": None}, "endDate"),
        ({"endDate": "tomorrow"}, "endDate"),
        ({"closed": None}, "closed"),
        ({"closed": "false"}, "closed"),
        ({"outcomes": [True, False]}, "outcomes"),
        ({"outcomes": {"0": "Up", "1": "Down"}}, "outcomes"),
        ({"outcomes": '["Up"]'}, "outcomes"),
        ({"outcomes": '["Up", "Up"]'}, "outcomes"),
        ({"clobTokenIds": None}, "clobTokenIds"),
        ({"clobTokenIds": '["0xab", "0xcd"]'}, "clobTokenIds"),
        ({"outcomePrices": '["0.5"]'}, "outcomePrices"),
        ({"outcomePrices": '["1.5", "-0.5"]'}, "outcomePrices"),
        ({"outcomePrices": '["NaN", "1"]'}, "outcomePrices"),
        ({"volume": True}, "volume"),
        ({"volume": -5}, "volume"),
        ({"volume": "-1"}, "volume"),
        ({"feeSchedule": None}, "feeSchedule"),
        ({"feeSchedule": {"rate": 0.07, "exponent": 2}}, "exponent"),
        ({"feeSchedule": {"rate": "seven", "exponent": 1}}, "rate"),
        ({"feeSchedule": {"rate": "7", "exponent": 1}}, "rate"),
        ({"orderPriceMinTickSize": None}, "orderPriceMinTickSize"),
        ({"orderPriceMinTickSize": 0}, "orderPriceMinTickSize"),
    ],
)
def test_a_field_that_is_not_believed_is_named(changes, field):
    with pytest.raises(BadRow, match=field):
        read(gamma_market(**changes))


@pytest.mark.parametrize(("prices", "payouts"), [("1 0", "1 0"), ("0 1", "0 1"), ("0.5 0.5", "0.5 0.5"), ("1.0 0.0", "1 0")])
def test_a_resolved_market_pays_as_its_prices_say(prices, payouts):
    record = read(settled(outcomePrices=json.dumps(prices.split())))
    assert record.resolution.status == "final"
    assert record.resolution.payouts == tuple(Decimal(payout) for payout in payouts.split())
    assert record.resolution.resolved_at == datetime(2026, 6, 8, 0, 0, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"closed": False},
        {"umaResolutionStatus": None},
        {"umaResolutionStatus": "requested"},
        {"outcomePrices": '["0.9995", "0.0005"]'},
        {"outcomePrices": '["1", "1"]'},
        {"outcomePrices": '["0", "0"]'},
        {"outcomePrices": '["0.6", "0.4"]'},
        {"outcomePrices": None},
    ],
)
def test_anything_less_is_not_yet_a_resolution(changes):
    assert read(settled(**changes)).resolution is None


@pytest.mark.parametrize("status", ["proposed", "disputed"])
def test_a_result_on_its_way_is_not_final(status):
    assert read(settled(umaResolutionStatus=status)).resolution.status == status


def test_all_pages_are_read_until_there_is_no_cursor():
    caller = Pages(
        page(gamma_market(conditionId=key_of(1)), cursor="a"),
        page(gamma_market(conditionId=key_of(2)), cursor="b"),
        page(gamma_market(conditionId=key_of(3))),
    )
    gathered = asyncio.run(feed.open_markets(caller))
    assert [record.key for record in gathered.records] == [key_of(1), key_of(2), key_of(3)]
    assert gathered.complete
    assert [dict(params).get("after_cursor") for _, params in caller.asked] == [None, "a", "b"]
    assert all(path == "/markets/keyset" and dict(params)["closed"] == "false" for path, params in caller.asked)


def test_a_cursor_that_stands_still_does_not_go_round_for_ever():
    caller = Pages(*[page(gamma_market(), cursor="same") for _ in range(5)])
    asyncio.run(feed.open_markets(caller))
    assert len(caller.asked) == 2


def test_one_bad_row_is_named_and_the_rest_is_kept():
    caller = Pages(page(gamma_market(), gamma_market(conditionId=key_of(2), endDate=None), "not an object"))
    gathered = asyncio.run(feed.open_markets(caller))
    assert [record.key for record in gathered.records] == [CONDITION_ID]
    assert [(rejected.reason, rejected.key) for rejected in gathered.rejected] == [
        ("endDate is missing", key_of(2)),
        ("the row is not an object", ""),
    ]


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"markets": {}}', b'{"items": []}', b'{"markets": [NaN]}', b'{"markets": [']
)
def test_a_bad_first_page_is_an_error_and_a_bad_later_one_leaves_the_list_incomplete(body):
    with pytest.raises(BadAnswer):
        asyncio.run(feed.open_markets(Pages(body)))
    gathered = asyncio.run(feed.open_markets(Pages(page(gamma_market(), cursor="a"), body)))
    assert (len(gathered.records), len(gathered.rejected), gathered.complete) == (1, 1, False)


def without_event(**changes) -> dict[str, Any]:
    return gamma_market(events=None, **changes)


def event_of(*markets) -> dict[str, Any]:
    return {"id": "9", "title": "Today", "endDate": "2026-06-08T00:00:00Z", "markets": list(markets)}


@pytest.mark.parametrize(
    "body",
    [
        {"markets": [without_event()], "next_cursor": "a"},
        [without_event()],
        {"data": [without_event()], "next_cursor": "a"},
        {"events": [event_of(without_event())], "next_cursor": "a"},
        [event_of(without_event())],
        {"data": [event_of(without_event())]},
    ],
)
def test_every_shape_of_a_page_holds_the_same_market(body):
    rows, cursor = wire.read_page(as_body(body))
    assert [feed.as_record(row).key for row in rows] == [CONDITION_ID]
    assert cursor == ("a" if isinstance(body, dict) and "next_cursor" in body else "")


def test_a_market_inside_an_event_belongs_to_that_event_and_a_bad_one_stops_no_other():
    rows, _ = wire.read_page(as_body([event_of(without_event(), "junk", gamma_market()), {"id": "10", "markets": []}, 7]))
    assert [feed.as_record(row).event.key for row in (rows[0], rows[2])] == ["9", "77"]
    assert rows[1:2] + rows[3:] == ["junk", 7]


@pytest.mark.parametrize(
    "changes",
    [
        {"outcomes": ["Up", "Down"], "clobTokenIds": list(TOKENS), "outcomePrices": ["0.505", "0.495"]},
        {"outcomePrices": [0.505, 0.495]},
        {"volume": 30335.869374999984},
        {"orderPriceMinTickSize": "0.01", "orderMinSize": "5"},
        {"feeSchedule": {"rate": "0.07", "exponent": "1"}},
    ],
)
def test_lists_for_texts_and_texts_for_numbers_mean_the_same(changes):
    assert read(gamma_market(**changes)) == read(gamma_market())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"clobTokenIds": None}, "clobTokenIds is missing"),
        ({"clobTokenIds": "[]"}, "do not belong together"),
        ({"orderPriceMinTickSize": "NaN"}, "orderPriceMinTickSize"),
        ({"volume": "lots"}, "volume"),
    ],
)
def test_a_market_that_cannot_be_traded_or_measured_is_named(changes, reason):
    with pytest.raises(BadRow, match=reason):
        read(gamma_market(**changes))


def test_a_market_of_more_than_two_outcomes_and_one_of_negative_risk_are_markets_like_others():
    three = gamma_market(
        outcomes='["Home", "Draw", "Away"]', clobTokenIds='["1", "2", "3"]', outcomePrices='["0.5", "0.3", "0.2"]', negRisk=True
    )
    assert [outcome.label for outcome in read(three).outcomes] == ["Home", "Draw", "Away"]


def test_a_closed_market_whose_active_flag_lags_takes_no_orders_and_has_its_end():
    record = read(settled(active=True, acceptingOrders=True))
    assert (record.accepts_orders, record.closed, record.resolution.status) == (False, True, "final")


def test_a_page_of_a_hundred_is_no_end_and_a_market_on_two_pages_is_listed_once():
    first = page(*[gamma_market(conditionId=key_of(number)) for number in range(100)], cursor="a")
    caller = Pages(first, page(gamma_market(conditionId=key_of(99)), gamma_market(conditionId=key_of(100))))
    gathered = asyncio.run(feed.open_markets(caller))
    assert (len(gathered.records), gathered.complete) == (101, True)


def test_a_cursor_that_the_vendor_ignores_gives_one_page_and_an_incomplete_list():
    caller = Pages(*[page(gamma_market(), cursor=cursor) for cursor in "abc"])
    gathered = asyncio.run(feed.open_markets(caller))
    assert (len(gathered.records), len(caller.asked), gathered.complete) == (1, 2, False)


def test_states_are_asked_for_open_and_then_for_closed_markets():
    caller = Pages(page(gamma_market(conditionId=key_of(1))), page(settled(conditionId=key_of(2))))
    gathered = asyncio.run(feed.market_states(caller, [key_of(1), key_of(2), key_of(3)]))
    assert [(record.key, record.closed) for record in gathered.records] == [(key_of(1), False), (key_of(2), True)]
    asked = [[value for name, value in params if name == "condition_ids"] for _, params in caller.asked]
    assert asked == [[key_of(1), key_of(2), key_of(3)], [key_of(2), key_of(3)]]


def test_long_watch_lists_are_asked_for_in_parts_that_fit_an_address():
    keys = [key_of(number) for number in range(120)]
    caller = Pages(*[page(*[gamma_market(conditionId=key) for key in keys[start : start + 50]]) for start in (0, 50, 100)])
    gathered = asyncio.run(feed.market_states(caller, keys))
    assert len(gathered.records) == 120
    assert len(caller.asked) == 3
    assert max(sum(len(name) + len(value) + 2 for name, value in params) for _, params in caller.asked) < 8_000


def test_texts_are_cut_to_what_later_rooms_can_hold():
    record = read(gamma_market(question="q" * 1_500, category="C" * 99))
    assert (len(record.question), len(record.category)) == (400, 40)


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.just('["1","0"]'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(changes=st.dictionaries(st.sampled_from(sorted({*gamma_market(), "umaResolutionStatus", "closedTime"})), junk, max_size=4))
def test_a_bent_market_is_a_record_or_a_bad_row_and_never_a_wrong_payout(changes):
    raw = parse_json(as_body({**settled(), **changes}))
    try:
        record = feed.as_record(raw)
    except BadRow:
        return
    if record.resolution is not None:
        assert sum(record.resolution.payouts) == 1
        assert len(record.resolution.payouts) == len(record.outcomes)


@given(st.binary(max_size=200))
def test_a_fuzzed_page_is_a_bad_answer_or_a_page(body):
    try:
        rows, cursor = wire.read_page(body)
    except BadAnswer:
        return
    assert isinstance(rows, list)
    assert isinstance(cursor, str)


def test_a_category_is_its_own_or_the_events_or_the_fee_plans():
    market = wire.read_market(parse_json(as_body(gamma_market())))
    assert market.event is not None
    event = replace(market.event, category="Sports")
    assert feed.category_of(replace(market, category="Politics", event=event)) == "politics"
    assert feed.category_of(replace(market, event=event)) == "sports"
    assert feed.category_of(replace(market, fee_type="")) == "other"
