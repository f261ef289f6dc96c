"""Writing down what the venue said: a fill with its ledger entry, hold, position and audit event in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog

from apps.audit import services as audit
from apps.core.db import transaction
from apps.core.money import to_pay_minor, to_receive_minor
from apps.ledger import selectors as ledger_book
from apps.ledger import services as ledger
from apps.ledger.types import PostingLine
from apps.portfolio import selectors as portfolios
from apps.portfolio import services as portfolio
from apps.portfolio.types import FillEffect, PortfolioView
from apps.signals import services as signals
from apps.signals.errors import SignalNotInState
from apps.trading.errors import IllegalMove
from apps.trading.models import Fill, Order
from apps.trading.services.leasing import PAUSE, Claim, locked, release
from apps.trading.states import moved
from apps.trading.types import OrderState
from apps.trading.venues.base import VenueFill, VenueReport
from apps.trading.venues.paper import WITHDRAWN

log = structlog.get_logger(__name__)

# The book may be better in a moment; these do not speak against the signal.
PASSING_REASONS = ("stale_book", "no_liquidity", "placeholder_book", "price_limit", WITHDRAWN)


@transaction
def apply_report(*, claim: Claim, report: VenueReport, now: datetime, by: str) -> OrderState:
    """Write down what the venue knows of the claimed order and return the order's state then. Raises StaleLease."""
    order = locked(claim=claim)
    if report.state == "pending":
        return _wait(order, report, now=now)
    if report.state == "rejected":
        return _end_without_fill(order, reason=report.reason, now=now, by=by)
    if report.fill is None:
        raise IllegalMove(f"the venue is done with {order.id} and names no fill")
    return _fill(order, report.fill, now=now, by=by)


def _end_without_fill(order: Order, *, reason: str, now: datetime, by: str) -> OrderState:
    """End the order as rejected (withdrawn: cancelled), give its held money back, and its shadow signal too."""
    state: OrderState = "cancelled" if reason == WITHDRAWN else "rejected"
    if order.hold_id:
        ledger.void_hold(hold_id=order.hold_id, by=by, now=now)
    _finish(order, state, reason=reason, now=now)
    _record(order, {"reason": reason}, now=now, by=by)
    if order.signal_id and reason in PASSING_REASONS and portfolios.portfolio_by_id(order.portfolio_id).kind == "shadow":
        _put_signal_back(order, reason=reason, now=now)
    return state


def _put_signal_back(order: Order, *, reason: str, now: datetime) -> None:
    """Let the signal be tried again, unless it has moved on meanwhile: another tenant's order may have decided its fate."""
    try:
        signals.put_back(signal_id=order.signal_id, reason=reason, now=now)
    except SignalNotInState as error:
        log.info("signal_moved_on", signal=order.signal_id, order=order.id, reason=str(error))


def _wait(order: Order, report: VenueReport, *, now: datetime) -> OrderState:
    state: OrderState = "sent"
    if order.state != state:
        order.state = moved(order.state, state)
        order.sent_at = order.sent_at or now
    release(order=order, next_try_at=max(report.due_at, now + PAUSE) if report.due_at <= now else report.due_at)
    return state


def _fill(order: Order, given: VenueFill, *, now: datetime, by: str) -> OrderState:
    held_in = portfolios.portfolio_by_id(order.portfolio_id)
    to_minor = to_pay_minor if order.side == "buy" else to_receive_minor
    fill = Fill.objects.create(
        order=order,
        venue_fill_id=given.venue_fill_id,
        units=given.units,
        price=given.price,
        notional_minor=to_minor(given.notional, held_in.currency),
        fee_minor=to_pay_minor(given.fee, held_in.currency),
        is_depth_limited=given.is_depth_limited,
        evidence=dict(given.evidence),
        filled_at=now,
    )
    effect = portfolio.apply_fill(
        portfolio_id=order.portfolio_id,
        market_id=order.market_id,
        outcome_id=order.outcome_id,
        side="buy" if order.side == "buy" else "sell",
        units=fill.units,
        notional_minor=fill.notional_minor,
        fee_minor=fill.fee_minor,
        by=by,
        now=now,
    )
    _book(order, fill, effect, held_in, now=now, by=by)
    state: OrderState = "partly_filled" if fill.is_depth_limited else "filled"
    _finish(order, state, reason="", now=now)
    _record(order, _figures_of(fill), now=now, by=by)
    return state


def _book(order: Order, fill: Fill, effect: FillEffect, held_in: PortfolioView, *, now: datetime, by: str) -> None:
    """Capture the hold and post the entry. What a buy paid, or a sell brought, moves against cash."""
    if order.hold_id:
        ledger.capture_hold(hold_id=order.hold_id, by=by, now=now)
    is_buy = order.side == "buy"
    amounts = {
        "cash": (-fill.notional_minor if is_buy else fill.notional_minor) - fill.fee_minor,
        "positions": effect.cost_minor if is_buy else -effect.cost_minor,
        "fees": fill.fee_minor,
        "result": -effect.gain_minor,
    }
    ledger.post(
        tenant_id=order.tenant_id,
        reference=f"fill:{fill.venue_fill_id}",
        kind="fill",
        lines=_posting_lines(held_in, amounts),
        by=by,
        now=now,
    )


def _posting_lines(held_in: PortfolioView, amounts: Mapping[str, int]) -> tuple[PostingLine, ...]:
    """Name the portfolio's ledger accounts for amounts per part; zeros make no line."""
    return tuple(
        PostingLine(ledger_book.get_account(tenant_id=held_in.tenant_id, code=f"{held_in.kind}:{part}").id, amount_minor)
        for part, amount_minor in amounts.items()
        if amount_minor
    )


def _finish(order: Order, state: OrderState, *, reason: str, now: datetime) -> None:
    order.state = moved(order.state, state)
    order.reason = reason
    order.finished_at = now
    order.sent_at = order.sent_at or (None if state == "cancelled" else now)
    release(order=order, next_try_at=None)


def _figures_of(fill: Fill) -> dict[str, object]:
    evidence = fill.evidence
    return {
        "fill": fill.id,
        "units": str(fill.units),
        "price": str(fill.price),
        "notional_minor": fill.notional_minor,
        "fee_minor": fill.fee_minor,
        "quote": evidence.get("quote_id"),
        "book_digest": evidence.get("book_digest"),
    }


def _record(order: Order, detail: Mapping[str, object], *, now: datetime, by: str) -> None:
    audit.record(action=f"order.{order.state}", subject=order.id, by=by, now=now, tenant=order.tenant_id, detail=detail)
