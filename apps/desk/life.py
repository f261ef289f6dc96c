"""The life of one market along the flow: market, forecast, signal, decision, order, fill, settlement, entry, event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from apps.audit import selectors as audit
from apps.desk import holdings
from apps.forecasts import selectors as forecasts
from apps.ledger import selectors as ledger
from apps.markets import selectors as markets
from apps.markets.types import Book, MarketView
from apps.portfolio import selectors as portfolios
from apps.risk import selectors as risk
from apps.settlement import selectors as settlements
from apps.signals import selectors as signals
from apps.trading import selectors as trading

BOOK_LEVELS = 8
ROWS_MAX = 20
EVENTS_MAX = 30


def life_of(market_id: str, *, now: datetime) -> dict[str, Any]:
    """Return every stage of a market's life, each with its rows; empty where the market has not come so far."""
    market = markets.get_market(market_id)
    orders = list(trading.orders_table().filter(market_id=market_id).order_by("created_at", "id")[:ROWS_MAX])
    fills = list(trading.fills_table().filter(order__market_id=market_id).order_by("filled_at", "id")[:ROWS_MAX])
    settled = list(settlements.settlements_table().filter(market_id=market_id).order_by("settled_at")[:ROWS_MAX])
    entries = entries_of(fills, settled)
    return {
        "now": now,
        "market": market,
        "row": markets.markets_table().filter(id=market_id).get(),
        "ended": holdings.ending(market, markets.latest_result(market_id)),
        "books": books_of(market),
        "forecast": forecasts.latest_forecasts([market_id]).get(market_id),
        "forecast_count": forecasts.forecasts_table().filter(market_id=market_id).count(),
        "score": holdings.scores_of([market_id]).get(market_id),
        "signals": signals.signals_of_market(market_id),
        "decisions": list(risk.decisions_table().filter(market_id=market_id).order_by("decided_at")[:ROWS_MAX]),
        "orders": orders,
        "fills": fills,
        "positions": list(portfolios.positions_table().filter(market_id=market_id).order_by("opened_at")),
        "settlements": settled,
        "entries": entries,
        "events": events_of(market_id, orders, settled),
    }


def books_of(market: MarketView) -> list[dict[str, Any]]:
    """Return the newest stored book of each outcome as rows of bid and ask side by side, best first."""
    found = markets.latest_books([outcome.id for outcome in market.outcomes])
    return [
        {"label": outcome.label, "at": found[outcome.id].vendor_at, "rows": side_by_side(found[outcome.id])}
        for outcome in market.outcomes
        if outcome.id in found
    ]


def side_by_side(book: Book) -> list[tuple[Any, Any]]:
    """Pair the levels of both sides; the shorter side ends with None."""
    depth = min(BOOK_LEVELS, max(len(book.bids), len(book.asks)))
    return [
        (book.bids[place] if place < len(book.bids) else None, book.asks[place] if place < len(book.asks) else None)
        for place in range(depth)
    ]


def entries_of(fills: list[dict[str, Any]], settled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ledger entries that fills and settlements of the market were booked under."""
    wanted = Q(reference__in=[f"fill:{fill['venue_fill_id']}" for fill in fills])
    for settlement in settled:
        wanted |= Q(reference__startswith=f"settlement:{settlement['id']}:")
    return list(ledger.entries_table().filter(wanted).order_by("booked_at", "id")[:ROWS_MAX])


def events_of(market_id: str, orders: list[dict[str, Any]], settled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the audit events about the market, its orders and its settlements, oldest first."""
    subjects = [market_id, *(order["id"] for order in orders), *(settlement["id"] for settlement in settled)]
    return list(audit.events_table().filter(subject__in=subjects).order_by("id")[:EVENTS_MAX])
