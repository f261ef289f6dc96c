"""The paper venue: real recorded books, no real money, and a memory of its own.

An order meets the book that stood at `due_at`, which is its arrival plus PAPER_LATENCY_MS; when it is asked about later
(because a process died, say) it still meets that same book, so the answer does not depend on who asks when.
What it answered is stored and never changes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, cast

from django.conf import settings

from apps.core.db import durable, transaction
from apps.markets import selectors as markets
from apps.markets.types import Book, MarketView
from apps.trading import matching
from apps.trading.models import PaperOrder
from apps.trading.venues.base import Acknowledgement, OrderRequest, VenueFill, VenueReport, VenueState

# A book that nobody has confirmed for so long is not traded on: 10 minutes of the world's time (SCHEDULE_SPEED divides it).
BOOK_AGE_MAX = timedelta(minutes=10)
UNITS_STEP = Decimal("0.000001")
PRICE_STEP = Decimal("0.0000000001")
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the venue gave nothing."""

    reason: str


class PaperVenue:
    """Fills orders from the stored books."""

    name = "paper"

    @durable
    def submit(self, client_order_id: str, request: OrderRequest, *, now: datetime) -> Acknowledgement:
        """Store the request once; an order for a market that is not open is rejected on arrival."""
        market = markets.get_market(request.market_id)
        is_open = market.state == "open" and market.accepts_orders
        row, _ = PaperOrder.objects.get_or_create(
            client_order_id=client_order_id,
            defaults={
                "outcome_id": request.outcome_id,
                "request": _as_json(request),
                "received_at": now,
                "due_at": now + timedelta(milliseconds=settings.PAPER_LATENCY_MS),
                "state": "pending" if is_open else "rejected",
                "answer": None if is_open else {"reason": "market_closed"},
            },
        )
        return Acknowledgement(client_order_id, received_at=row.received_at, due_at=row.due_at)

    @durable
    def status(self, client_order_id: str, *, now: datetime) -> VenueReport | None:
        """Match the order if its moment has come, and report what it got."""
        row = PaperOrder.objects.filter(client_order_id=client_order_id).first()
        if row is None:
            return None
        if row.state == "pending" and row.due_at <= now:
            row = _answer(client_order_id)
        return _report(row)

    @durable
    def withdraw(self, client_order_id: str, *, now: datetime) -> VenueReport:
        """Remember the id as rejected, so that a submit which was held up on its way finds it taken."""
        row, _ = PaperOrder.objects.get_or_create(
            client_order_id=client_order_id,
            defaults={
                "outcome_id": "",
                "request": {},
                "received_at": now,
                "due_at": now,
                "state": "rejected",
                "answer": {"reason": WITHDRAWN},
            },
        )
        return _report(row)


@transaction
def _answer(client_order_id: str) -> PaperOrder:
    """Match one pending order and store the answer; whoever comes second reads what the first stored."""
    row = PaperOrder.objects.select_for_update().get(client_order_id=client_order_id)
    if row.state != "pending":
        return row
    met = _meet_book(row)
    row.state = "rejected" if isinstance(met, Refusal) else "done"
    row.answer = {"reason": met.reason} if isinstance(met, Refusal) else met
    row.save(update_fields=["state", "answer"])
    return row


def _meet_book(row: PaperOrder) -> dict[str, Any] | Refusal:
    market = markets.get_market(row.request["market_id"])
    if row.due_at >= market.closes_at:
        return Refusal("market_closed")
    book = markets.book_at(row.outcome_id, at=row.due_at)
    if book is None:
        return Refusal("no_liquidity")
    if row.due_at - _stood_until(book, at=row.due_at) > BOOK_AGE_MAX / settings.SCHEDULE_SPEED:
        return Refusal("stale_book")
    walk = matching.execute(book, _match_order(row.request))
    if isinstance(walk, matching.Rejection):
        return Refusal(walk.reason)
    return _fill_answer(row, market, book, walk)


def _stood_until(book: Book, *, at: datetime) -> datetime:
    """Return the last moment up to `at` when the book was known to stand: replaced later, or last confirmed."""
    latest = markets.latest_prices((book.outcome_id,)).get(book.outcome_id)
    if latest is None:
        return book.received_at
    is_replaced = latest.quote_id != book.quote_id
    return at if is_replaced else min(at, latest.confirmed_at)


def _fill_answer(row: PaperOrder, market: MarketView, book: Book, walk: matching.Walk) -> dict[str, Any] | Refusal:
    units = walk.units.quantize(UNITS_STEP, rounding=ROUND_DOWN)
    if not units:
        return Refusal("invalid_size")
    return {
        "units": str(units),
        "price": str(walk.average_price.quantize(PRICE_STEP)),
        "notional": str(walk.cost),
        "fee": str(walk.fee(market.fee_rate)),
        "is_depth_limited": walk.is_depth_limited,
        "evidence": {
            "quote_id": book.quote_id,
            "book_digest": book.digest,
            "book_vendor_at": book.vendor_at.isoformat(),
            "book_received_at": book.received_at.isoformat(),
            "received_at": row.received_at.isoformat(),
            "due_at": row.due_at.isoformat(),
            "fee_rate": str(market.fee_rate),
            "legs": [[str(leg.price), str(leg.units)] for leg in walk.legs],
        },
    }


def _match_order(request: dict[str, Any]) -> matching.MatchOrder:
    amounts = {name: Decimal(request[name]) if request[name] is not None else None for name in ("spend", "units", "limit")}
    # A sell was cut to the position when risk decided; what it names is what is held for it.
    return matching.MatchOrder(side=request["side"], **amounts, held=amounts["units"] or Decimal(0))


def _as_json(request: OrderRequest) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(request).items()}


def _report(row: PaperOrder) -> VenueReport:
    answer: dict[str, Any] = row.answer or {}
    fill = None
    if row.state == "done":
        amounts = {name: Decimal(answer[name]) for name in ("units", "price", "notional", "fee")}
        fill = VenueFill(
            venue_fill_id=f"{row.client_order_id}:1",
            **amounts,
            is_depth_limited=answer["is_depth_limited"],
            evidence=answer["evidence"],
        )
    return VenueReport(
        client_order_id=row.client_order_id,
        state=cast(VenueState, row.state),
        due_at=row.due_at,
        reason=answer.get("reason", ""),
        fill=fill,
    )
