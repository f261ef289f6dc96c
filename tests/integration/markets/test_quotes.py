"""Books in the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, connections

from apps.audit.models import Event as AuditEvent
from apps.markets import selectors
from apps.markets.models import LatestPrice, Market, Outcome, Quote
from apps.markets.partitions import attached_days
from apps.markets.types import BookCounts, Level
from apps.sources.types import Level as SourceLevel
from tests.integration.markets.making import CLOB, NOW, SECOND, book, book_of, listed, store, store_books


@pytest.fixture
def market(db) -> Market:
    store(listed())
    return Market.objects.get()


def up(market: Market) -> str:
    return market.outcomes.get(position=0).id


def test_a_first_book_is_stored_with_its_depth_and_latest_price(market):
    assert store_books(book("t1-up")) == BookCounts(seen=1, stored=1)
    quote = Quote.objects.get()
    assert (quote.outcome_id, quote.venue, quote.bid, quote.ask) == (up(market), CLOB, Decimal("0.50"), Decimal("0.52"))
    assert quote.bids == [["0.50", "10"], ["0.499", "20"]]
    assert quote.asks == [["0.52", "30"], ["0.521", "40"]]
    price = selectors.latest_prices([up(market)])[up(market)]
    assert (price.quote_id, price.bid, price.ask) == (quote.id, Decimal("0.50"), Decimal("0.52"))
    assert (price.bid_units, price.ask_units) == (Decimal(10), Decimal(30))
    assert (price.vendor_at, price.received_at, price.confirmed_at) == (NOW, NOW, NOW)


def test_an_unchanged_book_is_not_stored_again_but_confirmed(market):
    store_books(book("t1-up"))
    assert store_books(book("t1-up", at=NOW + SECOND)) == BookCounts(seen=1, unchanged=1)
    assert Quote.objects.count() == 1
    price = selectors.latest_prices([up(market)])[up(market)]
    assert (price.received_at, price.vendor_at, price.confirmed_at) == (NOW, NOW, NOW + SECOND)


def test_a_changed_book_is_a_new_quote(market):
    store_books(book("t1-up"))
    assert store_books(book("t1-up", bid="0.51", at=NOW + SECOND)) == BookCounts(seen=1, stored=1)
    assert Quote.objects.count() == 2
    assert LatestPrice.objects.get().bid == Decimal("0.51")


def test_an_older_vendor_time_is_refused(market):
    store_books(book("t1-up"))
    late = book("t1-up", bid="0.40", at=NOW + SECOND, vendor_at=NOW - SECOND)
    assert store_books(late) == BookCounts(seen=1, older=1)
    assert (Quote.objects.count(), LatestPrice.objects.get().bid) == (1, Decimal("0.50"))


def test_a_confirmation_never_goes_back(market):
    store_books(book("t1-up", at=NOW + 2 * SECOND, vendor_at=NOW))
    store_books(book("t1-up", at=NOW + SECOND, vendor_at=NOW))
    assert LatestPrice.objects.get().confirmed_at == NOW + 2 * SECOND


def test_what_cannot_be_believed_is_counted_and_the_rest_is_stored(market):
    outside = replace(book("t1-down"), asks=(SourceLevel(Decimal("1.5"), Decimal(1)),))
    counts = store_books(book("t1-up", bid="0.60", ask="0.55"), outside, book("t9-up"))
    assert counts == BookCounts(seen=3, invalid=2, unknown=1)
    assert (Quote.objects.count(), LatestPrice.objects.count()) == (0, 0)
    assert AuditEvent.objects.filter(action="quotes.stored").count() == 0


def test_placeholders_are_stored_and_flagged_in_the_counts(market):
    assert store_books(book("t1-up", bid="0.01", ask="0.99")) == BookCounts(seen=1, stored=1, placeholders=1)


def test_an_empty_side_is_stored_as_nothing(market):
    store_books(replace(book("t1-up"), bids=()))
    price = selectors.latest_prices([up(market)])[up(market)]
    assert (price.bid, price.bid_units, price.ask) == (None, None, Decimal("0.52"))
    assert selectors.latest_books([up(market)])[up(market)].bids == ()


def test_one_audit_event_for_a_batch_with_count_and_digest(market):
    store_books(book("t1-up"), book("t1-down"))
    told = AuditEvent.objects.get(action="quotes.stored")
    assert (told.subject, told.detail["stored"], len(told.detail["digest"])) == (CLOB, 2, 64)


def test_a_late_book_makes_its_own_partition_first(market):
    day = (NOW - timedelta(days=40)).date()
    assert day not in attached_days()
    assert store_books(book("t1-up", at=NOW - timedelta(days=40))).stored == 1
    assert day in attached_days()


def test_books_across_midnight_go_into_two_partitions(market):
    midnight = NOW.replace(hour=0) + timedelta(days=10)
    store_books(book("t1-up", at=midnight - timedelta(microseconds=1)), book("t1-down", at=midnight))
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM markets_quote ORDER BY received_at")
        assert [name for (name,) in cursor.fetchall()] == ["markets_quote_20261201", "markets_quote_20261202"]


def test_the_book_at_a_moment_is_the_last_one_before_it(market):
    for second, bid in enumerate(("0.40", "0.41", "0.42")):
        store_books(book("t1-up", bid=bid, at=NOW + second * SECOND))
    outcome_id = up(market)
    assert selectors.book_at(outcome_id, at=NOW - SECOND) is None
    assert book_of(selectors.book_at(outcome_id, at=NOW)).bids[0] == Level(Decimal("0.40"), Decimal(10))
    assert book_of(selectors.book_at(outcome_id, at=NOW + 1.5 * SECOND)).bids[0].price == Decimal("0.41")
    assert selectors.latest_books([outcome_id])[outcome_id].bids[0].price == Decimal("0.42")


def test_a_series_is_thinned_evenly_oldest_first(market):
    for second in range(10):
        store_books(book("t1-up", bid=f"0.{20 + second}", at=NOW + second * SECOND))
    found = selectors.price_series(up(market), since=NOW, points=5)
    assert [quote.bid for quote in found] == [Decimal(f"0.{bid}") for bid in (21, 23, 25, 27, 29)]
    assert len(selectors.price_series(up(market), since=NOW, points=100)) == 10
    assert selectors.price_series(up(market), since=NOW + timedelta(hours=1), points=5) == ()


def test_ten_thousand_books_are_stored_once_in_few_statements(market, django_assert_max_num_queries):
    keys = [f"many-{number}" for number in range(10_000)]
    rows = [Outcome(market=market, position=number + 2, source_key=key, label=key) for number, key in enumerate(keys)]
    Outcome.objects.bulk_create(rows)
    with django_assert_max_num_queries(20):
        assert store_books(*(book(key) for key in keys)) == BookCounts(seen=10_000, stored=10_000)
    assert (Quote.objects.count(), LatestPrice.objects.count()) == (10_000, 10_000)
    again = [book(key, bid="0.49" if number < 10 else "0.50", at=NOW + SECOND) for number, key in enumerate(keys)]
    assert store_books(*again, now=NOW + SECOND) == BookCounts(seen=10_000, stored=10, unchanged=9_990)
    assert (Quote.objects.count(), LatestPrice.objects.filter(confirmed_at=NOW + SECOND).count()) == (10_010, 10_000)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM markets_latestprice AS l"
            " JOIN markets_quote AS q ON q.id = l.quote_id AND q.outcome_id = l.outcome_id AND q.digest = l.digest"
        )
        assert cursor.fetchone() == (10_000,)


@pytest.fixture
def empty_quotes(transactional_db) -> Iterator[None]:
    """The flush after a transactional test passes by tables without a managed model."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE markets_quote")


def test_many_loaders_of_one_answer_store_it_once(empty_quotes):
    store(*(listed(number) for number in range(20)))
    keys = [f"t{number}-{side}" for number in range(20) for side in ("up", "down")]
    counts: list[BookCounts] = []
    gate = threading.Barrier(8)

    def load(turn: int) -> None:
        order = keys if turn % 2 else keys[::-1]
        gate.wait(timeout=10)
        try:
            counts.append(store_books(*(book(key) for key in order)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=load, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sum(one.stored for one in counts) == 40
    assert sum(one.unchanged for one in counts) == 7 * 40
    assert (Quote.objects.count(), LatestPrice.objects.count()) == (40, 40)
    assert AuditEvent.objects.filter(action="quotes.stored").count() == 1
