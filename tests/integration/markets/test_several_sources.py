"""Several places that list questions, side by side in one store: each asked for its own, none mixed up with another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.core import clock
from apps.markets import selectors, services
from apps.markets.models import Event, Market, Outcome, Quote, Result
from apps.markets.types import BookCounts, CatalogueCounts
from apps.sources import http, registry
from apps.sources.errors import UnknownSource
from apps.sources.models import FetchLog, Quarantine
from tests.factories.prediction_wires import kalshi_book, kalshi_event, kalshi_market, manifold_market, manifold_resolved
from tests.factories.wires import TOKENS, as_body, clob_book, gamma_market
from tests.integration.markets.making import BY, CLOB, GAMMA, NOW, batch, book, listed, result_of, store
from tests.integration.sources.upstream import Answer, Question, Upstream

KALSHI, MANIFOLD = "kalshi", "manifold"
D = Decimal
# Asked and answered in this very minute, so that nothing of the wire is stale for the windows.
SOON = datetime.now(UTC) + timedelta(hours=3)


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


class Vendors:
    """The windows of four vendors on loopback; `answers` is by path, and what is not there is unknown."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.answers: dict[str, Any] = {
            "/polymarket_gamma/markets/keyset": {"markets": [gamma_market(endDate=iso(SOON), events=None)]},
            "/polymarket_clob/books": [clob_book()],
            "/kalshi/events": {"events": [kalshi_event(kalshi_market(ticker="K-1", close_time=iso(SOON)))], "cursor": ""},
            "/kalshi/markets/K-1/orderbook": {"orderbook_fp": kalshi_book()},
            "/manifold/search-markets": [manifold_market(id="m1", closeTime=ms(SOON))],
        }
        upstream.script = self.answer

    def answer(self, question: Question) -> Answer:
        body = self.answers.get(question.path)
        if question.path == "/manifold/search-markets" and dict(question.query)["offset"] != "0":
            body = []
        return Answer(as_body(body)) if body is not None else Answer(b"{}", 404)

    def paths(self) -> list[str]:
        return [question.path for question in self.upstream.questions]


@pytest.fixture
def vendors(settings, transactional_db, clean_redis) -> Iterator[Vendors]:
    upstream = Upstream()
    urls = {slug: f"{upstream.url}/{slug}" for slug in registry.slugs()}
    settings.VENDORS = {slug: {"base_url": url, "api_key": "", "rate_per_minute": 6_000} for slug, url in urls.items()}
    services.ensure_partitions(now=clock.now(), by=BY)
    yield Vendors(upstream)
    http.shut_down()
    upstream.close()


def refresh(*sources: str) -> list[CatalogueCounts]:
    return [services.refresh_catalogue(source=source, now=clock.now(), by=BY) for source in sources]


def refresh_books(source: str) -> BookCounts:
    return services.refresh_books(source=source, now=clock.now(), by=BY)


def test_three_catalogues_stand_side_by_side_and_each_venue_is_asked_for_its_own_books(vendors):
    assert refresh(GAMMA, KALSHI, MANIFOLD) == [CatalogueCounts(listed=1, created=1)] * 3
    assert dict(Market.objects.values_list("source", "accepts_orders")) == {GAMMA: True, KALSHI: True, MANIFOLD: False}
    assert refresh_books(KALSHI) == BookCounts(seen=2, stored=2)
    assert refresh_books(CLOB) == BookCounts(seen=1, stored=1)
    assert sorted(Quote.objects.values_list("outcome__source_key", "venue")) == [
        (TOKENS[0], CLOB),
        ("kalshi:K-1:no", KALSHI),
        ("kalshi:K-1:yes", KALSHI),
    ]
    yes = Outcome.objects.get(source_key="kalshi:K-1:yes")
    price = selectors.latest_prices([yes.id])[yes.id]
    assert (price.bid, price.ask, price.bid_units, price.ask_units) == (D("0.42"), D("0.445"), D("13.5"), D(20))
    asked_for_books = [path for path in vendors.paths() if path.endswith(("orderbook", "books"))]
    assert asked_for_books == ["/kalshi/markets/K-1/orderbook", "/polymarket_clob/books"]


def test_an_unchanged_book_of_another_venue_is_confirmed_and_a_crossed_one_is_quarantined(vendors):
    refresh(KALSHI)
    refresh_books(KALSHI)
    assert refresh_books(KALSHI) == BookCounts(seen=2, unchanged=2)
    vendors.answers["/kalshi/markets/K-1/orderbook"] = {"orderbook_fp": kalshi_book(no_dollars=[["0.9000", "1.00"]])}
    assert refresh_books(KALSHI) == BookCounts(rejected=1)
    assert Quote.objects.count() == 2
    assert [(fault.source_id, fault.row_key, fault.reason[:19]) for fault in Quarantine.objects.all()] == [
        (KALSHI, "K-1", "the book is crossed")
    ]


@pytest.mark.parametrize(
    ("changes", "state", "payouts"),
    [
        ({"result": "yes", "settlement_value_dollars": "1.0000"}, "resolved", ["1", "0"]),
        ({"result": "no"}, "resolved", ["0", "1"]),
        ({"result": "scalar", "settlement_value_dollars": "0.3500"}, "resolved", ["0.35", "0.65"]),
        ({"result": "void"}, "void", []),
    ],
)
def test_a_kalshi_market_ends_with_what_it_pays_and_its_event_keeps_its_name(vendors, changes, state, payouts):
    refresh(KALSHI)
    past = iso(clock.now() - timedelta(hours=1))
    ended = kalshi_market(ticker="K-1", status="finalized", close_time=past, settlement_ts=past, **changes)
    vendors.answers |= {"/kalshi/events": {"events": [], "cursor": ""}, "/kalshi/markets": {"markets": [ended]}}
    assert refresh(KALSHI)[0].results == 1
    market = Market.objects.get()
    assert (market.state, market.accepts_orders) == (state, False)
    result = result_of(market.id)
    outcomes = market.outcomes.order_by("position").values_list("id", flat=True)
    assert [f"{result.payouts[outcome].normalize():f}" for outcome in outcomes if outcome in result.payouts] == payouts
    event = Event.objects.get()
    assert (event.title, event.category) == ("Highest temperature in NYC on Jun 22, 2026?", "climate and weather")
    assert market.category == "climate and weather"


@pytest.mark.parametrize("status", ["determined", "amended", "disputed"])
def test_a_kalshi_result_that_may_still_be_disputed_settles_nothing(vendors, status):
    refresh(KALSHI)
    past = iso(clock.now() - timedelta(hours=1))
    known = kalshi_market(ticker="K-1", status=status, result="yes", close_time=past)
    vendors.answers |= {"/kalshi/events": {"events": [], "cursor": ""}, "/kalshi/markets": {"markets": [known]}}
    assert refresh(KALSHI)[0].results == 0
    assert Market.objects.get().state == "closed"
    assert Result.objects.count() == 0


@pytest.mark.parametrize(
    ("resolution", "state", "payouts"),
    [("NO", "resolved", ["0", "1"]), ("MKT", "resolved", ["0.33", "0.67"]), ("CANCEL", "void", [])],
)
def test_a_manifold_question_ends_with_its_share(vendors, resolution, state, payouts):
    refresh(MANIFOLD)
    past = ms(clock.now() - timedelta(hours=1))
    ended = manifold_resolved(resolution, id="m1", closeTime=past, resolutionTime=past)
    vendors.answers |= {"/manifold/search-markets": [], "/manifold/market/m1": ended}
    assert refresh(MANIFOLD)[0].results == 1
    market = Market.objects.get()
    result = result_of(market.id)
    outcomes = market.outcomes.order_by("position").values_list("id", flat=True)
    assert market.state == state
    assert [f"{result.payouts[outcome].normalize():f}" for outcome in outcomes if outcome in result.payouts] == payouts


def test_a_listing_that_is_cut_off_makes_no_market_vanish(vendors):
    first = kalshi_event(kalshi_market(ticker="K-1", close_time=iso(SOON)))
    second = kalshi_event(kalshi_market(ticker="K-2", close_time=iso(SOON)), event_ticker="E2")
    vendors.answers["/kalshi/events"] = {"events": [first, second], "cursor": ""}
    refresh(KALSHI)
    # The same page for ever: the vendor ignores the cursor.
    vendors.answers["/kalshi/events"] = {"events": [first], "cursor": "again"}
    assert refresh(KALSHI) == [CatalogueCounts(listed=1, unchanged=1)]
    assert "/kalshi/markets" not in vendors.paths()
    assert FetchLog.objects.filter(operation="markets").order_by("-id")[0].outcome == "incomplete"


def test_watch_lists_are_told_apart_by_source(db):
    store(listed(1))
    services.store_markets(source=KALSHI, batch=batch(listed(2)), now=NOW, by=BY)
    assert selectors.outcome_keys_to_watch(now=NOW, sources=(GAMMA,)) == ("t1-up", "t1-down")
    assert selectors.outcome_keys_to_watch(now=NOW, sources=(KALSHI,)) == ("t2-up", "t2-down")
    assert selectors.outcome_keys_to_watch(now=NOW, sources=()) == ()
    assert len(selectors.outcome_keys_to_watch(now=NOW)) == 4


def test_the_same_key_at_two_sources_is_two_markets_and_an_outcome_belongs_to_one(db):
    store(listed(1))
    other = replace(listed(1), outcomes=listed(2).outcomes)
    assert services.store_markets(source=KALSHI, batch=batch(other), now=NOW, by=BY).created == 1
    assert services.store_markets(source=MANIFOLD, batch=batch(listed(1)), now=NOW, by=BY).refused == 1
    assert Market.objects.count() == 2


def test_a_venue_stores_no_book_of_an_outcome_that_it_does_not_quote(db):
    store(listed(1))
    assert services.store_books(source=KALSHI, books=[book("t1-up")], now=NOW, by=BY) == BookCounts(seen=1, unknown=1)
    assert Quote.objects.count() == 0
    with pytest.raises(UnknownSource):
        services.store_books(source="nowhere", books=[book("t1-up")], now=NOW, by=BY)


def test_what_a_source_does_not_say_of_an_event_stays_as_it_was(db):
    store(listed(1))
    silent = replace(listed(1).event, title="", category="")
    store(replace(listed(1), event=silent, category=""), listed(2, event=replace(silent, key="unnamed")))
    assert dict(Event.objects.values_list("source_key", "title")) == {"e1": "Bitcoin 1", "unnamed": "unnamed"}
    assert Market.objects.get(source_key="0x1").category == "crypto"
