"""Questions to the store; answers are frozen views, or QuerySets of dicts for lists that callers filter and page."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet

from apps.markets.errors import InstrumentNotFound, MarketNotFound
from apps.markets.models import BookmakerOdds, Candle, Event, Instrument, LatestPrice, Market, Outcome, Quote, Result
from apps.markets.shapes import as_bar, as_book, as_instrument, as_market, as_odds, as_price, as_result
from apps.markets.types import (
    Bar,
    Book,
    InstrumentView,
    MarketView,
    OddsView,
    Price,
    QuoteView,
    ResultView,
)

UNRESOLVED = ("open", "closed")
BOOKS_WATCHED_MAX = 400
MARKETS_WATCHED_MAX = 500
RESTATEMENT_WATCH = timedelta(hours=1)

Table = QuerySet[Any, dict[str, Any]]


def get_market(market_id: str) -> MarketView:
    """Return one market with its outcomes. Raises MarketNotFound."""
    found = markets_by_ids((market_id,))
    if market_id not in found:
        raise MarketNotFound(market_id)
    return found[market_id]


def markets_by_ids(market_ids: Iterable[str]) -> dict[str, MarketView]:
    """Return the markets that exist among `market_ids`, by id, in two queries."""
    rows = Market.objects.filter(id__in=tuple(market_ids)).prefetch_related("outcomes")
    return {row.id: as_market(row) for row in rows}


def unresolved_markets(*, now: datetime) -> tuple[MarketView, ...]:
    """Return the markets born by `now` without a result that have a price of their own, the soonest to close first.

    That is: an instrument's price, or a book, now or ever. What only bookmakers quote, and we cannot trade, is left out.
    """
    rows = Market.objects.filter(state__in=UNRESOLVED, created_at__lte=now).order_by("closes_at", "id")
    ever_quoted = Exists(LatestPrice.objects.filter(outcome__market=OuterRef("id")))
    rows = rows.filter(Q(instrument__isnull=False) | Q(accepts_orders=True) | ever_quoted)
    return tuple(as_market(row) for row in rows.prefetch_related("outcomes"))


def latest_prices(outcome_ids: Iterable[str]) -> dict[str, Price]:
    """Return the newest price of each outcome that has one, by outcome id, in one query."""
    return {row.outcome_id: as_price(row) for row in LatestPrice.objects.filter(outcome_id__in=tuple(outcome_ids))}


def book_at(outcome_id: str, *, at: datetime) -> Book | None:
    """Return the book that was stored last at or before `at`, or None; never one of the future."""
    return _newest_book(Quote.objects.filter(outcome_id=outcome_id, received_at__lte=at))


def latest_books(outcome_ids: Iterable[str]) -> dict[str, Book]:
    """Return the newest stored book of each outcome that has one, by outcome id, in one query."""
    newest = LatestPrice.objects.filter(outcome_id__in=tuple(outcome_ids)).values_list("quote_id", "received_at")
    pairs = tuple(newest)
    if not pairs:
        return {}
    moments = tuple(received_at for _, received_at in pairs)
    rows = Quote.objects.filter(id__in=[quote_id for quote_id, _ in pairs])
    # The moments let PostgreSQL open only the partitions that hold them.
    rows = rows.filter(received_at__gte=min(moments), received_at__lte=max(moments))
    return {row.outcome_id: as_book(row) for row in rows}


def price_series(outcome_id: str, *, since: datetime, points: int) -> tuple[QuoteView, ...]:
    """Return the changes of best prices since `since`, thinned evenly to at most `points`, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(PRICE_SERIES_SQL, {"outcome_id": outcome_id, "since": since, "points": points})
        return tuple(QuoteView(*row) for row in cursor.fetchall())


# The last change of each of `points` equal parts.
PRICE_SERIES_SQL = """
SELECT DISTINCT ON (part) id, outcome_id, bid, ask, vendor_at, received_at
FROM (
    SELECT id, outcome_id, bid, ask, vendor_at, received_at, ntile(%(points)s) OVER (ORDER BY received_at) AS part
    FROM markets_quote
    WHERE outcome_id = %(outcome_id)s AND received_at >= %(since)s
) AS parts
ORDER BY part, received_at DESC
"""


def instruments() -> tuple[InstrumentView, ...]:
    """Return every instrument by symbol."""
    return tuple(as_instrument(row) for row in Instrument.objects.order_by("symbol"))


def get_instrument(instrument_id: str) -> InstrumentView:
    """Return one instrument. Raises InstrumentNotFound."""
    row = Instrument.objects.filter(id=instrument_id).first()
    if row is None:
        raise InstrumentNotFound(instrument_id)
    return as_instrument(row)


def latest_odds(outcome_ids: Iterable[str]) -> dict[str, tuple[OddsView, ...]]:
    """Return what each bookmaker offered last on each outcome, by outcome id, in one query.

    Closing odds stand beside the earlier ones; outcomes without odds are left out.
    """
    rows = BookmakerOdds.objects.filter(outcome_id__in=tuple(outcome_ids))
    place = ("outcome_id", "bookmaker", "is_closing")
    found: dict[str, tuple[OddsView, ...]] = {}
    for row in rows.order_by(*place, "-id").distinct(*place):
        found[row.outcome_id] = (*found.get(row.outcome_id, ()), as_odds(row))
    return found


def bars(instrument_id: str, *, limit: int) -> tuple[Bar, ...]:
    """Return the newest `limit` bars of an instrument, oldest first; the last one may not be final."""
    rows = Candle.objects.filter(instrument_id=instrument_id).order_by("-closes_at")[:limit]
    return tuple(as_bar(row) for row in reversed(rows))


def latest_result(market_id: str) -> ResultView | None:
    """Return the result of a market as believed now, or None."""
    return latest_results(market_ids=(market_id,)).get(market_id)


def latest_results(*, market_ids: Iterable[str]) -> dict[str, ResultView]:
    """Return the newest revision of each market's result, by market id; markets without one are left out."""
    rows = Result.objects.filter(market_id__in=tuple(market_ids)).order_by("market_id", "-revision").distinct("market_id")
    return {row.market_id: as_result(row) for row in rows}


def outcome_keys_to_watch(*, now: datetime, sources: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the vendor's keys of outcomes whose books are worth asking for, at most BOOKS_WATCHED_MAX of them.

    These are outcomes of open markets that take orders, of all sources or of the given ones: the soonest to close first,
    those that still trade after their scheduled close last.
    """
    keyed = Outcome.objects.filter(market__state="open", market__accepts_orders=True, market__created_at__lte=now)
    if sources is not None:
        keyed = keyed.filter(market__source__in=tuple(sources))
    keyed = keyed.exclude(source_key="").alias(is_past=ExpressionWrapper(Q(market__closes_at__lt=now), BooleanField()))
    ordered = keyed.order_by("is_past", "market__closes_at", "market_id", "position")
    return tuple(ordered.values_list("source_key", flat=True)[:BOOKS_WATCHED_MAX])


def market_keys_to_watch(*, source: str, now: datetime) -> tuple[str, ...]:
    """Return the keys of markets whose end is awaited, and of those that ended lately.

    Awaited are markets that are closed or past their scheduled close without a result: those not seen for longest
    first, so that each has its turn when there are many. Those that got a result within RESTATEMENT_WATCH (shortened
    by SCHEDULE_SPEED) are asked again, because a source may restate. At most MARKETS_WATCHED_MAX.
    """
    ours = Market.objects.filter(source=source)
    awaited = ours.filter(Q(state="closed") | Q(state="open", closes_at__lte=now)).order_by("last_seen_at", "closes_at")
    keys = tuple(awaited.values_list("source_key", flat=True)[:MARKETS_WATCHED_MAX])
    ended_since = now - RESTATEMENT_WATCH / settings.SCHEDULE_SPEED
    ended = ours.filter(results__observed_at__gt=ended_since).order_by("source_key").distinct()
    return (keys + tuple(ended.values_list("source_key", flat=True)))[:MARKETS_WATCHED_MAX]


MARKET_COLUMNS = (
    *("id", "event_id", "event__title", "source", "source_key", "slug", "question", "category", "pays"),
    *("instrument_id", "instrument__symbol", "threshold", "horizon_bars", "state", "accepts_orders"),
    *("opens_at", "closes_at", "fee_rate", "tick_size", "min_units", "volume", "last_seen_at", "created_at"),
)
EVENT_COLUMNS = ("id", "source", "source_key", "title", "category", "starts_at", "closes_at", "created_at")
OUTCOME_COLUMNS = (
    *("id", "market_id", "position", "label", "source_key", "latest__bid", "latest__ask", "latest__bid_units"),
    *("latest__ask_units", "latest__vendor_at", "latest__received_at", "latest__confirmed_at"),
)
QUOTE_COLUMNS = ("id", "outcome_id", "bid", "ask", "bids", "asks", "venue", "vendor_at", "received_at", "digest")
INSTRUMENT_COLUMNS = ("id", "source", "symbol", "name", "kind", "currency", "note", "created_at")
CANDLE_COLUMNS = (
    *("id", "instrument_id", "instrument__symbol", "closes_at", "open", "high", "low", "close", "volume"),
    *("is_final", "received_at"),
)
RESULT_COLUMNS = ("id", "market_id", "revision", "kind", "payouts", "evidence", "observed_at")


def markets_table() -> Table:
    """List markets as dicts with the title of their event and the symbol of their instrument."""
    return _table(Market.objects.all(), MARKET_COLUMNS)


def events_table() -> Table:
    """List events as dicts."""
    return _table(Event.objects.all(), EVENT_COLUMNS)


def outcomes_table() -> Table:
    """List outcomes as dicts with their newest price (None where there is none)."""
    return _table(Outcome.objects.all(), OUTCOME_COLUMNS)


def quotes_table() -> Table:
    """List stored quotes as dicts with their depth; filter by outcome and time, the table is large."""
    return _table(Quote.objects.all(), QUOTE_COLUMNS)


def instruments_table() -> Table:
    """List instruments as dicts."""
    return _table(Instrument.objects.all(), INSTRUMENT_COLUMNS)


def candles_table() -> Table:
    """List candles as dicts with the symbol of their instrument."""
    return _table(Candle.objects.all(), CANDLE_COLUMNS)


def results_table() -> Table:
    """List results as dicts, every revision."""
    return _table(Result.objects.all(), RESULT_COLUMNS)


def _table(rows: QuerySet[Any], columns: tuple[str, ...]) -> Table:
    return rows.values(*columns)


def _newest_book(rows: QuerySet[Quote]) -> Book | None:
    row = rows.order_by("-received_at").first()
    return as_book(row) if row else None
