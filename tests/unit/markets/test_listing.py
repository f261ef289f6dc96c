"""From a vendor's listing to columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.markets import listing
from apps.sources.types import EventRecord, MarketRecord, OutcomeRecord

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RECORD = MarketRecord(
    key="0xabc",
    slug="btc-up",
    question="Bitcoin up?",
    category="crypto",
    event=EventRecord(key="e1", title="Bitcoin", category="crypto"),
    outcomes=(OutcomeRecord(key="t1", label="Up"), OutcomeRecord(key="t2", label="Down")),
    opens_at=NOW,
    closes_at=NOW + timedelta(minutes=15),
    accepts_orders=True,
    closed=False,
    fee_rate=Decimal("0.07"),
    tick_size=Decimal("0.01"),
    min_units=Decimal(5),
    volume=Decimal("1.23456789"),
)


def fields(record=RECORD, state="open"):
    return listing.market_fields(record, event_id="evt_1", state=state)


def test_an_open_market_takes_orders():
    assert (fields()["state"], fields()["accepts_orders"]) == ("open", True)


def test_a_closed_market_takes_no_orders_even_if_the_vendor_says_so():
    closed = fields(replace(RECORD, closed=True))
    assert (closed["state"], closed["accepts_orders"]) == ("closed", False)


@pytest.mark.parametrize("state", ["resolved", "void"])
def test_an_ended_market_stays_ended(state):
    assert (fields(state=state)["state"], fields(state=state)["accepts_orders"]) == (state, False)


def test_the_same_listing_twice_changes_nothing():
    row = SimpleNamespace(**fields())
    assert listing.changed_fields(row, fields()) == ()


def test_a_change_is_named():
    row = SimpleNamespace(**fields())
    assert listing.changed_fields(row, fields(replace(RECORD, volume=Decimal(2)))) == ("volume",)


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False))
def test_a_number_on_its_columns_grid_stays_there(number):
    once = listing.on_grid(number, listing.UNITS_GRID)
    assert listing.on_grid(once, listing.UNITS_GRID) == once
    assert abs(once - number) <= listing.UNITS_GRID / 2


@given(st.text(max_size=50), st.integers(1, 40))
def test_a_cut_text_fits_and_a_short_one_is_untouched(text, length_max):
    cut = listing.cut(text, length_max)
    assert len(cut) <= length_max
    assert cut == text or (len(text) > length_max and cut.endswith("…"))


@pytest.mark.parametrize(
    ("keys", "stored", "taken", "fault"),
    [
        (("a", "b"), None, (), ""),
        (("a", "b"), ("a", "b"), ("a", "b"), ""),
        ((), None, (), "outcomes without distinct keys"),
        (("a", ""), None, (), "outcomes without distinct keys"),
        (("a", "a"), None, (), "outcomes without distinct keys"),
        (("b", "a"), ("a", "b"), (), "outcomes differ from the stored ones"),
        (("a",), ("a", "b"), (), "outcomes differ from the stored ones"),
        (("a", "b"), None, ("b",), "outcome keys belong to another market"),
    ],
)
def test_each_fault_of_a_listing_is_named(keys, stored, taken, fault):
    record = replace(RECORD, outcomes=tuple(OutcomeRecord(key=key, label=key) for key in keys))
    assert listing.fault_of_listing(record, outcome_keys=stored, taken=taken) == fault


@pytest.mark.parametrize(
    ("said", "stored", "is_older"),
    [(NOW, None, False), (None, NOW, False), (NOW, NOW, False), (NOW - timedelta(microseconds=1), NOW, True)],
)
def test_a_market_is_older_when_the_vendor_described_it_before(said, stored, is_older):
    assert listing.is_older(replace(RECORD, vendor_at=said), stored) is is_older


def test_a_description_may_be_dated_a_little_ahead_and_no_more():
    ahead = NOW + timedelta(minutes=10)
    assert not listing.is_of_future(RECORD, NOW)
    assert not listing.is_of_future(replace(RECORD, vendor_at=ahead), NOW)
    assert listing.is_of_future(replace(RECORD, vendor_at=ahead + timedelta(seconds=1)), NOW)


def test_an_unchanged_market_is_written_again_after_a_minute():
    assert not listing.is_due_to_be_seen(NOW, now=NOW + timedelta(seconds=59))
    assert listing.is_due_to_be_seen(NOW, now=NOW + timedelta(seconds=60))


def test_what_a_vendor_does_not_say_is_no_change():
    event = replace(RECORD.event, title="", category="")
    assert set(listing.event_fields(event)) == {"starts_at", "closes_at"}
    silent = listing.market_fields(replace(RECORD, category=""), event_id="evt_1", state="open")
    assert "category" not in silent
    assert {**fields(), **silent} == fields()
