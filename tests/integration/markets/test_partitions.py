"""The daily partitions of quotes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection

from apps.audit.models import Event as AuditEvent
from apps.core.errors import Broken
from apps.markets import partitions, selectors, services
from apps.markets.models import Quote
from tests.integration.markets.making import BY, NOW, book, book_of, listed, store, store_books

DAY = NOW.date()


def relations(pattern: str = "markets_quote_2%") -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE %s AND relkind = 'r' ORDER BY 1", [pattern])
        return [name for (name,) in cursor.fetchall()]


@pytest.fixture
def clean_days(transactional_db) -> Iterator[None]:
    """Partitions are tables: nobody rolls them back after a test that commits."""
    yield
    partitions.drop_older_than(date(2100, 1, 1))


@pytest.mark.django_db
def test_missing_days_are_made_once():
    assert services.ensure_partitions(now=NOW, by=BY) == 5
    assert relations() == [f"markets_quote_202611{day}" for day in (21, 22, 23, 24, 25)]
    assert services.ensure_partitions(now=NOW, by=BY) == 0
    assert AuditEvent.objects.filter(action="partitions.made").count() == 1


@pytest.mark.django_db
def test_the_next_day_makes_one_more():
    services.ensure_partitions(now=NOW, by=BY)
    assert services.ensure_partitions(now=NOW + timedelta(days=1), by=BY) == 1


@pytest.mark.django_db
def test_a_partition_has_the_indexes_of_its_parent():
    partitions.ensure_ahead(today=DAY, days=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent IN ('markets_quote_newest'::regclass, 'markets_quote_pkey'::regclass)"
        )
        assert cursor.fetchone() == (2,)


@pytest.mark.django_db
def test_there_is_no_default_partition():
    with pytest.raises(IntegrityError, match="no partition of relation"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO markets_quote (outcome_id, bids, asks, venue, vendor_at, received_at, digest)"
            " VALUES ('out_1', '[]', '[]', 'x', now(), '1999-01-01', 'd')"
        )


@pytest.mark.parametrize(
    ("name", "day"), [("markets_quote_20261122", DAY), ("markets_quote_newest", None), ("other_20261122", None)]
)
def test_only_our_names_are_days(name, day):
    assert partitions.day_of(name) == day


def test_a_name_gives_its_day_back():
    assert partitions.day_of(partitions.name_of(DAY)) == DAY


def test_old_days_go_with_their_quotes_and_the_others_stay(clean_days):
    store(listed())
    old, new = NOW - timedelta(days=30), NOW - timedelta(days=29)
    store_books(book("t1-up", at=old))
    store_books(book("t1-up", bid="0.4", at=new))
    assert services.drop_old_partitions(keep_days=29, now=NOW, by=BY) == 1
    assert relations() == ["markets_quote_20261024"]
    assert [quote.received_at for quote in Quote.objects.all()] == [new]
    told = AuditEvent.objects.get(action="partitions.dropped")
    assert told.detail == {"count": 1, "first": "2026-10-23", "last": "2026-10-23"}
    assert services.drop_old_partitions(keep_days=29, now=NOW, by=BY) == 0


def test_a_day_left_detached_by_a_crash_is_dropped_too(clean_days):
    partitions.ensure_ahead(today=DAY, days=0)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE markets_quote DETACH PARTITION markets_quote_20261122")
    assert partitions.attached_days() == set()
    assert partitions.drop_older_than(DAY + timedelta(days=1)) == (DAY,)
    assert relations() == []


def test_a_day_left_detached_is_attached_again_when_it_is_needed(clean_days):
    partitions.ensure_ahead(today=DAY, days=0)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE markets_quote DETACH PARTITION markets_quote_20261122")
    assert partitions.ensure_ahead(today=DAY, days=0) == (DAY,)
    assert partitions.attached_days() == {DAY}


@pytest.mark.django_db
def test_nothing_is_dropped_inside_a_transaction_or_without_a_positive_number_of_days(clean_days):
    partitions.ensure_ahead(today=DAY, days=0)
    with pytest.raises(ValueError, match="keep_days"):
        services.drop_old_partitions(keep_days=0, now=NOW, by=BY)
    assert relations() == ["markets_quote_20261122"]


@pytest.mark.django_db
def test_days_are_made_inside_the_callers_transaction_only(clean_days):
    with pytest.raises(Broken):
        partitions.ensure_days([DAY])
    assert relations() == []


def test_the_migration_goes_back_and_forth(clean_days):
    partitions.ensure_ahead(today=DAY, days=1)
    call_command("migrate", "markets", "0001_tables", verbosity=0)
    assert relations("markets_quote%") == []
    call_command("migrate", verbosity=0)
    partitions.ensure_ahead(today=DAY, days=0)
    assert relations() == ["markets_quote_20261122"]


FILL = """
INSERT INTO markets_quote (outcome_id, bid, ask, bids, asks, venue, vendor_at, received_at, digest)
SELECT 'out_' || (n %% 200), 0.5, 0.52, '[["0.5","1"]]', '[["0.52","1"]]', 'x', at, at, n::text
FROM (SELECT n, %s::timestamptz + n * interval '4.32 seconds' AS at FROM generate_series(0, 99999) AS n) AS rows
"""


@pytest.mark.django_db
def test_the_book_at_a_moment_is_one_index_scan_of_a_big_table():
    partitions.ensure_ahead(today=DAY, days=5)
    with connection.cursor() as cursor:
        cursor.execute(FILL, [NOW.replace(hour=0)])
        cursor.execute("ANALYZE markets_quote")
        assert Quote.objects.count() == 100_000
        rows = Quote.objects.filter(outcome_id="out_7", received_at__lte=NOW + timedelta(days=3)).order_by("-received_at")[:1]
        plan = json.loads(rows.explain(format="json", analyze=True))[0]["Plan"]
    scans = [node for node in _nodes(plan) if "Relation Name" in node]
    assert all(node["Node Type"] == "Index Scan" for node in scans)
    assert [node["Relation Name"] for node in scans if node["Actual Loops"]] == ["markets_quote_20261125"]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in scans) == 1
    assert not {node["Relation Name"] for node in scans} & {"markets_quote_20261126", "markets_quote_20261127"}
    assert book_of(selectors.book_at("out_7", at=NOW + timedelta(days=3))).received_at <= NOW + timedelta(days=3)


def _nodes(plan: dict) -> list[dict]:
    return [plan, *(found for child in plan.get("Plans", []) for found in _nodes(child))]
