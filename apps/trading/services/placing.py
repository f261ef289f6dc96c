"""Placing an order: decision, hold, order and audit event in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.audit import services as audit
from apps.core import bell
from apps.core.db import durable, lock_for_transaction, transaction, transaction_required
from apps.ledger import selectors as ledger_book
from apps.ledger import services as ledger
from apps.markets import selectors as markets
from apps.markets.types import MarketView
from apps.portfolio import selectors as portfolios
from apps.risk import services as risk
from apps.risk.errors import RiskDenied
from apps.risk.types import DecisionView, OrderIntent, hold_reference
from apps.trading.errors import IdempotencyConflict, UnitsAlreadyOffered, WrongOrder
from apps.trading.models import Order
from apps.trading.selectors import order_view, units_on_offer
from apps.trading.types import OrderView
from apps.trading.venues import PAPER

WORK_TASK = "tasks.trade.work"


@dataclass(frozen=True, slots=True)
class Placement:
    """An order, or the decision that there is none; a repeated request has its order and no new decision."""

    order: OrderView | None
    decision: DecisionView | None


@durable
def place_order(*, intent: OrderIntent, idempotency_key: str, now: datetime, by: str) -> OrderView:
    """Place an order, or return the one that this key placed before.

    A refusal by risk is stored and then raised as RiskDenied with its reason codes. Raises WrongOrder,
    IdempotencyConflict, UnitsAlreadyOffered, MarketNotFound, PortfolioNotFound, LimitsNotFound.
    """
    placement = _place_alone(intent, idempotency_key, now=now, by=by)
    if placement.order is not None:
        return placement.order
    reasons = placement.decision.reasons if placement.decision else ()
    decision_id = placement.decision.id if placement.decision else ""
    raise RiskDenied(f"denied: {', '.join(reasons)}", reasons=reasons, decision_id=decision_id)


@transaction_required
def place(*, intent: OrderIntent, idempotency_key: str, signal_id: str, now: datetime, by: str) -> Placement:
    """Place an order as part of the caller's transaction; see `place_order`."""
    _refuse_nonsense(intent)
    lock_for_transaction(f"bankroll:{intent.portfolio_id}")
    known = Order.objects.filter(tenant_id=intent.tenant_id, idempotency_key=idempotency_key).first()
    if known is not None:
        _refuse_other_order(known, intent)
        return Placement(order_view(known), decision=None)
    decision = risk.decide(intent=intent, now=now, by=by)
    if not decision.is_allowed:
        return Placement(order=None, decision=decision)
    order = _accept(intent, decision, idempotency_key, signal_id=signal_id, now=now, by=by)
    return Placement(order_view(order), decision)


@transaction
def _place_alone(intent: OrderIntent, idempotency_key: str, *, now: datetime, by: str) -> Placement:
    return place(intent=intent, idempotency_key=idempotency_key, signal_id="", now=now, by=by)


def _refuse_nonsense(intent: OrderIntent) -> None:
    market = markets.get_market(intent.market_id)
    if intent.outcome_id not in {outcome.id for outcome in market.outcomes}:
        raise WrongOrder(f"{intent.outcome_id} is not an outcome of {market.id}", field="outcome_id")
    is_buy = intent.side == "buy"
    if is_buy is (intent.stake_minor is None) or is_buy is (intent.units is not None):
        raise WrongOrder("a buy names a stake and a sell names units", field="stake_minor" if is_buy else "units")
    if intent.units is not None and not intent.units.is_finite():
        raise WrongOrder("units are a number", field="units")
    if intent.limit_price is not None:
        _refuse_wrong_limit(intent.limit_price, market)


def _refuse_wrong_limit(limit_price: Decimal, market: MarketView) -> None:
    if not limit_price.is_finite() or limit_price <= 0:
        raise WrongOrder("a limit price is a number above 0", field="limit_price")
    if market.pays == "binary" and limit_price >= 1:
        raise WrongOrder("a limit price of a binary market is under 1", field="limit_price")


def _refuse_other_order(known: Order, intent: OrderIntent) -> None:
    asked = (intent.portfolio_id, intent.outcome_id, intent.side, intent.stake_minor, intent.units, intent.limit_price)
    placed = (known.portfolio_id, known.outcome_id, known.side, known.stake_minor, known.units, known.limit_price)
    if asked != placed:
        raise IdempotencyConflict(f"order {known.id} has this key and is another one")


def _accept(
    intent: OrderIntent, decision: DecisionView, idempotency_key: str, *, signal_id: str, now: datetime, by: str
) -> Order:
    hold_id = _hold(intent, decision, now=now, by=by) if intent.side == "buy" else ""
    if intent.side == "sell":
        _refuse_units_on_offer(intent)
    order = Order.objects.create(
        tenant_id=intent.tenant_id,
        portfolio_id=intent.portfolio_id,
        market_id=intent.market_id,
        outcome_id=intent.outcome_id,
        decision_id=decision.id,
        signal_id=signal_id,
        hold_id=hold_id,
        idempotency_key=idempotency_key,
        side=intent.side,
        stake_minor=intent.stake_minor,
        units=intent.units,
        limit_price=intent.limit_price,
        venue=PAPER,
        state="accepted",
        next_try_at=now,
        created_at=now,
        by=intent.by,
    )
    _record_acceptance(order, now=now, by=by)
    bell.ring(WORK_TASK)
    return order


def _hold(intent: OrderIntent, decision: DecisionView, *, now: datetime, by: str) -> str:
    portfolio = portfolios.portfolio_by_id(intent.portfolio_id)
    cash = ledger_book.get_account(tenant_id=intent.tenant_id, code=portfolio.account_code("cash"))
    amount_minor = (intent.stake_minor or 0) + decision.worst_fee_minor
    hold = ledger.place_hold(account_id=cash.id, reference=hold_reference(decision.id), amount_minor=amount_minor, by=by, now=now)
    return hold.id


def _refuse_units_on_offer(intent: OrderIntent) -> None:
    """Two sells on their way may not offer the same units; units have no holds, so unfinished orders are counted."""
    position = portfolios.position_of(intent.portfolio_id, intent.outcome_id)
    held = position.units if position else Decimal(0)
    offered = units_on_offer(portfolio_id=intent.portfolio_id, outcome_id=intent.outcome_id)
    if (intent.units or Decimal(0)) + offered > held:
        raise UnitsAlreadyOffered(f"{intent.outcome_id}: {offered} of {held} units are on offer")


def _record_acceptance(order: Order, *, now: datetime, by: str) -> None:
    detail = {
        "portfolio": order.portfolio_id,
        "market": order.market_id,
        "outcome": order.outcome_id,
        "side": order.side,
        "stake_minor": order.stake_minor,
        "units": order.units,
        "limit_price": order.limit_price,
        "decision": order.decision_id,
        "signal": order.signal_id,
    }
    audit.record(action="order.accepted", subject=order.id, by=by, now=now, tenant=order.tenant_id, detail=detail)
