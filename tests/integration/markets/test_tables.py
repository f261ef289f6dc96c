"""The lists for API and admin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.urls import reverse

from apps.accounts.models import User
from apps.markets import selectors, services
from apps.markets.models import Candle, Event, Instrument, LatestPrice, Market, Outcome, Quote, Result
from apps.markets.types import BookCounts, CandleCounts, CatalogueCounts, MatchCounts, OddsCounts, RollCounts
from apps.sources.errors import UnknownSource
from tests.integration.markets.making import BY, NOW, SECOND, book, candle, listed, store, store_books, store_candles, won

pytestmark = pytest.mark.django_db

MODELS = (Candle, Event, Instrument, LatestPrice, Market, Outcome, Quote, Result)


@pytest.fixture(autouse=True)
def _one_of_everything():
    store(listed())
    store_books(book("t1-up"))
    store_candles(candle(NOW))
    store(won(), now=NOW + 1000 * SECOND)


@pytest.mark.parametrize(
    ("table", "count"),
    [
        (selectors.markets_table, 1),
        (selectors.events_table, 1),
        (selectors.outcomes_table, 2),
        (selectors.quotes_table, 1),
        (selectors.instruments_table, 1),
        (selectors.candles_table, 1),
        (selectors.results_table, 1),
    ],
)
def test_a_table_gives_dicts_in_one_query(table, count, django_assert_num_queries):
    with django_assert_num_queries(1):
        rows = list(table())
    assert len(rows) == count
    assert all(isinstance(row, dict) and "id" in row for row in rows)


def test_outcomes_come_with_their_newest_price_or_none():
    rows = selectors.outcomes_table().order_by("position")
    assert [row["latest__bid"] for row in rows] == [Decimal("0.50"), None]


def test_markets_come_with_event_and_instrument():
    (row,) = selectors.markets_table()
    assert (row["event__title"], row["instrument__symbol"], row["state"]) == ("Bitcoin 1", None, "resolved")


@pytest.mark.parametrize("model", MODELS)
def test_the_admin_shows_and_changes_nothing(model, client):
    client.force_login(User.objects.create_superuser("staff"))
    label = f"admin:markets_{model._meta.model_name}"
    page = client.get(reverse(f"{label}_changelist"), {"q": "x"} if model is not Candle else {})
    assert page.status_code == 200
    assert client.get(reverse(f"{label}_change", args=(model.objects.first().pk,))).status_code == 200
    assert client.get(reverse(f"{label}_add")).status_code == 403
    assert client.post(reverse(f"{label}_delete", args=(model.objects.first().pk,))).status_code == 403


SECTIONS = (
    "markets.catalogue.nowhere",
    "markets.books.nowhere",
    "markets.candles.nowhere.^GSPC",
    "markets.odds.nowhere",
    "markets.matches.nowhere",
)
SESSION_LOCKS = ("markets.roll", "markets.resolve-rolled")
ENTER = "INSERT INTO core_section (name, holder, until) VALUES (%s, 'another process', now() + interval '1 minute')"


@pytest.mark.django_db(transaction=True)
def test_a_tick_leaves_at_once_when_another_process_is_at_it():
    """The source does not exist: the loser must not even ask it."""
    common: dict[str, Any] = {"now": NOW, "by": BY}
    with psycopg.connect(**_database(), autocommit=True) as other:
        for name in SECTIONS:
            other.execute(ENTER, [name])
        for name in SESSION_LOCKS:
            other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"only_one:{name}"])
        assert services.refresh_catalogue(source="nowhere", **common) == CatalogueCounts()
        assert services.refresh_books(source="nowhere", **common) == BookCounts()
        assert services.refresh_candles(source="nowhere", symbol="^GSPC", **common) == CandleCounts()
        assert services.roll_markets(**common) == RollCounts()
        assert services.resolve_rolled(**common) == 0
        assert services.refresh_odds(source="nowhere", **common) == OddsCounts()
        assert services.refresh_match_results(source="nowhere", **common) == MatchCounts()
        other.execute("DELETE FROM core_section")
    with pytest.raises(UnknownSource):
        services.refresh_catalogue(source="nowhere", **common)


def _database() -> dict[str, Any]:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("host", "port", "user", "password", "dbname") if given.get(name)}
