"""A source's catalogue in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.audit.models import Event as AuditEvent
from apps.markets import selectors
from apps.markets.errors import MarketNotFound
from apps.markets.models import Event, Market, Outcome, Result
from apps.markets.types import CatalogueCounts
from apps.sources.types import EventRecord, OutcomeRecord
from tests.integration.markets.making import GAMMA, NOW, SECOND, listed, store, won

pytestmark = pytest.mark.django_db


def market(number=1):
    return selectors.get_market(Market.objects.get(source_key=f"0x{number}").id)


def test_a_listing_becomes_events_markets_and_outcomes():
    assert store(listed(1), listed(2)) == CatalogueCounts(listed=2, created=2)
    assert (Event.objects.count(), Market.objects.count(), Outcome.objects.count()) == (2, 2, 4)
    found = market(2)
    assert (found.question, found.category, found.state, found.accepts_orders) == ("Bitcoin up in 2?", "crypto", "open", True)
    assert (found.fee_rate, found.tick_size, found.min_units) == (Decimal("0.07"), Decimal("0.01"), Decimal(5))
    assert [(one.position, one.label, one.source_key) for one in found.outcomes] == [(0, "Up", "t2-up"), (1, "Down", "t2-down")]


def test_the_same_listing_again_writes_nothing(django_assert_num_queries):
    store(listed(1), listed(2))
    with django_assert_num_queries(6):  # savepoint, lock, events, markets, outcomes, release
        counts = store(listed(1), listed(2), now=NOW + SECOND)
    assert counts == CatalogueCounts(listed=2, unchanged=2)


def test_an_unchanged_market_is_marked_as_seen_once_a_minute():
    store(listed())
    later = NOW + timedelta(seconds=61)
    assert store(listed(), now=later) == CatalogueCounts(listed=1, unchanged=1)
    assert Market.objects.get().last_seen_at == later


def test_changes_are_written_and_told_once():
    store(listed())
    moved = listed(closes_at=NOW + timedelta(hours=1), event=EventRecord(key="e1", title="New title", category="crypto"))
    assert store(moved) == CatalogueCounts(listed=1, changed=1)
    assert market().closes_at == NOW + timedelta(hours=1)
    assert Event.objects.get().title == "New title"
    told = AuditEvent.objects.filter(action="catalogue.stored").order_by("id")
    assert [one.detail["changed"] for one in told] == [0, 1]


def test_a_growing_volume_is_stored_but_no_business_event():
    store(listed())
    assert store(listed(volume=Decimal(999))).changed == 1
    assert Market.objects.get().volume == 999
    assert AuditEvent.objects.filter(action="catalogue.stored").count() == 1


def test_what_the_vendor_said_before_what_is_stored_changes_nothing():
    store(listed(1, vendor_at=NOW), listed(2, vendor_at=NOW))
    before = list(Market.objects.order_by("id").values()), list(Event.objects.order_by("id").values())
    late = replace(won(1), vendor_at=NOW - SECOND, event=EventRecord(key="e1", title="Old title", category="crypto"))
    later = NOW + timedelta(hours=1)
    assert store(late, listed(2, vendor_at=NOW - SECOND, question="Old?"), now=later) == CatalogueCounts(listed=2, older=2)
    assert (list(Market.objects.order_by("id").values()), list(Event.objects.order_by("id").values())) == before
    assert (Result.objects.count(), AuditEvent.objects.filter(action="catalogue.stored").count()) == (0, 1)


def test_what_the_vendor_said_later_is_stored_with_its_moment():
    store(listed(1, vendor_at=NOW), listed(2))
    later = NOW + timedelta(hours=1)
    again = (replace(won(1), vendor_at=later), listed(2, vendor_at=NOW))
    assert store(*again, now=later) == CatalogueCounts(listed=2, changed=2, results=1)
    assert list(Market.objects.order_by("source_key").values_list("vendor_at", flat=True)) == [later, NOW]
    assert store(replace(won(1), vendor_at=None), now=later + SECOND) == CatalogueCounts(listed=1, unchanged=1)
    assert Market.objects.get(source_key="0x1").vendor_at == later


def test_a_market_described_in_the_future_is_refused_with_its_event_and_its_end():
    store(listed(1))
    ahead: dict[str, Any] = {
        "vendor_at": NOW + timedelta(hours=2),
        "event": EventRecord(key="e1", title="Other", category="crypto"),
    }
    later = NOW + timedelta(hours=1)
    assert store(replace(won(1), **ahead), listed(3, **ahead), now=later) == CatalogueCounts(listed=2, refused=2)
    assert (market().state, Event.objects.get().title, Result.objects.count()) == ("open", "Bitcoin 1", 0)


def test_the_end_of_a_market_whose_outcomes_differ_is_not_believed():
    store(listed())
    swapped = (OutcomeRecord(key="t1-down", label="Down"), OutcomeRecord(key="t1-up", label="Up"))
    ended = replace(won(), outcomes=swapped)
    assert store(ended, now=NOW + timedelta(hours=1)) == CatalogueCounts(listed=1, refused=1)
    assert Result.objects.count() == 0


def test_outcomes_never_change_once_stored():
    store(listed())
    swapped = (OutcomeRecord(key="t1-down", label="Down"), OutcomeRecord(key="t1-up", label="Up"))
    assert store(listed(outcomes=swapped, question="Other?")) == CatalogueCounts(listed=1, refused=1)
    assert [one.label for one in market().outcomes] == ["Up", "Down"]
    assert market().question == "Bitcoin up in 1?"


def test_outcome_keys_of_another_market_are_refused_and_the_rest_is_stored():
    store(listed(1))
    thief = replace(listed(2), outcomes=listed(1).outcomes)
    assert store(thief, listed(3)) == CatalogueCounts(listed=2, created=1, refused=1)
    assert not Market.objects.filter(source_key="0x2").exists()


def test_two_new_markets_cannot_share_an_outcome_key():
    assert store(listed(1), replace(listed(2), outcomes=listed(1).outcomes)) == CatalogueCounts(listed=2, created=1, refused=1)


def test_texts_too_long_for_their_columns_are_cut():
    store(listed(question="q" * 1000, slug="s" * 500, category="c" * 300))
    found = market()
    assert (len(found.question), len(found.slug), len(found.category)) == (400, 200, 100)


def test_a_closed_market_is_watched_until_its_result():
    store(listed(1), listed(2))
    assert selectors.market_keys_to_watch(source=GAMMA, now=NOW) == ()
    store(listed(1, closed=True))
    assert selectors.market_keys_to_watch(source=GAMMA, now=NOW) == ("0x1",)
    assert market().state == "closed"


def test_a_market_past_its_close_is_watched_the_longest_waiting_first():
    store(listed(1), listed(2, closes_at=NOW + timedelta(minutes=5)), listed(3, closes_at=NOW + timedelta(hours=3)))
    assert selectors.market_keys_to_watch(source=GAMMA, now=NOW + timedelta(minutes=16)) == ("0x2", "0x1")
    assert selectors.market_keys_to_watch(source="other", now=NOW + timedelta(minutes=16)) == ()


def test_a_market_that_was_asked_lately_waits_for_its_next_turn():
    closes_at = NOW - timedelta(hours=1)
    store(listed(1, closes_at=closes_at), listed(2, closes_at=closes_at - timedelta(hours=1)))
    later = NOW + timedelta(minutes=2)
    store(listed(2, closes_at=closes_at - timedelta(hours=1)), now=later)
    assert selectors.market_keys_to_watch(source=GAMMA, now=later) == ("0x1", "0x2")


def test_an_ended_market_stays_on_the_watch_list_for_a_while(settings):
    settings.SCHEDULE_SPEED = 60.0
    store(listed())
    ended_at = NOW + timedelta(minutes=16)
    store(won(), now=ended_at)
    assert selectors.market_keys_to_watch(source=GAMMA, now=ended_at + timedelta(seconds=59)) == ("0x1",)
    assert selectors.market_keys_to_watch(source=GAMMA, now=ended_at + timedelta(seconds=61)) == ()


def test_only_open_markets_that_take_orders_have_their_books_watched():
    store(
        listed(1),
        listed(2, closes_at=NOW + timedelta(minutes=1)),
        listed(3, accepts_orders=False),
        listed(4, closed=True),
    )
    assert selectors.outcome_keys_to_watch(now=NOW) == ("t2-up", "t2-down", "t1-up", "t1-down")
    late = NOW + timedelta(minutes=2)
    assert selectors.outcome_keys_to_watch(now=late) == ("t1-up", "t1-down", "t2-up", "t2-down")


def test_an_unresolved_market_leaves_the_list_when_it_ends():
    store(listed(1), listed(2))
    assert len(selectors.unresolved_markets(now=NOW)) == 2
    store(won(1), now=NOW + timedelta(minutes=16))
    assert [one.source_key for one in selectors.unresolved_markets(now=NOW)] == ["0x2"]


def test_unresolved_markets_cost_two_queries(django_assert_num_queries):
    store(*(listed(number) for number in range(30)))
    with django_assert_num_queries(2):
        assert len(selectors.unresolved_markets(now=NOW)) == 30


def test_an_unknown_market_is_not_found():
    with pytest.raises(MarketNotFound):
        selectors.get_market("mkt_nowhere")
    assert selectors.markets_by_ids(["mkt_nowhere"]) == {}


def test_a_stored_ended_market_is_not_opened_again_by_a_listing():
    store(listed())
    store(won(), now=NOW + timedelta(minutes=16))
    store(listed(), now=NOW + timedelta(minutes=17))
    assert (market().state, market().accepts_orders) == ("resolved", False)
    assert Result.objects.count() == 1
