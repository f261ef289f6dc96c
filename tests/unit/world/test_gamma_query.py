"""Gamma's lists: filters, limits, order and keyset paging."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from apps.sources.world.answers import Refusal
from apps.sources.world.gamma import EVENTS, MARKETS, MARKETS_KEYSET

rows_of_numbers = st.lists(st.integers(min_value=0, max_value=50), min_size=1, max_size=40).map(
    lambda prices: [{"id": str(index), "price": price} for index, price in enumerate(prices)]
)


@given(rows_of_numbers, st.integers(min_value=1, max_value=7), st.sampled_from(["", "price", "id"]), st.booleans())
def test_keyset_paging_returns_each_row_once_and_in_order(rows, limit, order, is_ascending):
    query = MultiDict({"limit": str(limit), "order": order, "ascending": str(is_ascending).lower()})
    seen, cursor = [], None
    while True:
        if cursor:
            query["after_cursor"] = cursor
        page, cursor = MARKETS_KEYSET.read(query).keyset_page(rows)
        assert 1 <= len(page) <= limit
        seen += page
        if cursor is None:
            break
    expected = sorted(rows, key=lambda row: (row.get(order) if order == "price" else 0, int(row["id"])), reverse=not is_ascending)
    assert seen == expected


@given(rows_of_numbers, st.integers(min_value=0, max_value=9), st.integers(min_value=1, max_value=9))
def test_offset_paging_returns_a_slice(rows, offset, limit):
    listing = MARKETS.read(MultiDict({"offset": str(offset), "limit": str(limit)}))
    assert listing.page(rows) == rows[offset : offset + limit]


def test_a_limit_above_the_largest_is_capped_in_silence():
    rows = [{"id": str(index)} for index in range(150)]
    assert len(MARKETS.read(MultiDict({"limit": "1000"})).page(rows)) == 100
    assert len(MARKETS.read(MultiDict()).page(rows)) == 20


def test_ids_are_sorted_as_numbers():
    rows = [{"id": "10"}, {"id": "9"}]
    assert [row["id"] for row in MARKETS.read(MultiDict()).page(rows)] == ["9", "10"]


def test_markets_hide_closed_ones_unless_asked_and_events_do_not():
    names = {
        "id": frozenset({"1"}),
        "slug": frozenset({"a"}),
        "condition_ids": frozenset({"0x1"}),
        "clob_token_ids": frozenset({"7"}),
    }
    closed = {"closed": True, "active": True, "archived": False}
    assert not MARKETS.read(MultiDict()).fits(closed, names)
    assert not MARKETS.read(MultiDict({"condition_ids": "0x1"})).fits(closed, names), "also when asked by id, as the vendor does"
    assert MARKETS.read(MultiDict({"condition_ids": "0x1", "closed": "true"})).fits(closed, names)
    assert not MARKETS.read(MultiDict({"condition_ids": "0x2", "closed": "true"})).fits(closed, names)
    assert EVENTS.read(MultiDict()).fits(closed, names)


def test_a_repeated_filter_takes_any_of_its_values():
    listing = MARKETS.read(MultiDict([("condition_ids", "0x1"), ("condition_ids", "0x2")]))
    assert listing.wanted["condition_ids"] == {"0x1", "0x2"}


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "many"},
        {"limit": "-1"},
        {"offset": "-5"},
        {"closed": "maybe"},
        {"ascending": "1"},
        {"id": "0xabc"},
        {"order": "nonsense"},
        {"order": "feeSchedule"},
    ],
    ids=str,
)
def test_what_gamma_cannot_read_is_refused_in_its_own_words(query):
    with pytest.raises(Refusal) as caught:
        MARKETS.read(MultiDict(query)).page([{"id": "1", "feeSchedule": {}}])
    assert caught.value.status == 422
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "validation error"


@pytest.mark.parametrize(
    "cursor", ["%%%", base64.urlsafe_b64encode(b"{}").decode(), base64.urlsafe_b64encode(b"[1]").decode(), "YQ"]
)
def test_a_broken_cursor_is_refused(cursor):
    with pytest.raises(Refusal) as caught:
        MARKETS_KEYSET.read(MultiDict({"after_cursor": cursor}))
    assert caught.value.status == 422


@given(st.text(min_size=1))
def test_no_cursor_breaks_the_list(cursor):
    rows = [{"id": "1"}, {"id": "2"}]
    statuses = set()
    try:
        MARKETS_KEYSET.read(MultiDict({"after_cursor": cursor})).keyset_page(rows)
    except Refusal as refusal:
        statuses.add(refusal.status)
    assert statuses <= {422}


def test_a_cursor_of_another_order_is_refused():
    cursor = base64.urlsafe_b64encode(b'[[true, "text"]]').decode()
    with pytest.raises(Refusal):
        MARKETS_KEYSET.read(MultiDict({"after_cursor": cursor})).keyset_page([{"id": "1"}])


def test_keyset_lists_refuse_an_offset():
    with pytest.raises(Refusal) as caught:
        MARKETS_KEYSET.read(MultiDict({"offset": "0"}))
    assert caught.value.body == {"type": "validation error", "error": "offset is not allowed on keyset endpoints"}


def test_more_than_a_hundred_ids_are_refused():
    with pytest.raises(Refusal):
        MARKETS.read(MultiDict([("condition_ids", str(number)) for number in range(101)]))
