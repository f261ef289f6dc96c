"""Questions about orders and fills; answers are frozen types, or QuerySets of dicts for lists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from django.db.models import F, QuerySet, Sum

from apps.portfolio.types import Side
from apps.trading.errors import OrderNotFound
from apps.trading.models import Fill, Order
from apps.trading.states import FRUITLESS, UNFINISHED
from apps.trading.types import OrderState, OrderView

Table = QuerySet[Any, Any]  # rows are dicts


def get_order(order_id: str, *, tenant_id: str) -> OrderView:
    """Return one order of a tenant. Raises OrderNotFound."""
    row = Order.objects.filter(id=order_id, tenant_id=tenant_id).first()
    if row is None:
        raise OrderNotFound(order_id)
    return order_view(row)


def unfinished_orders(*, market_id: str = "", tenant_id: str = "") -> int:
    """Count the orders that something can still happen to (of one market, of one tenant)."""
    rows = Order.objects.filter(state__in=UNFINISHED)
    if market_id:
        rows = rows.filter(market_id=market_id)
    if tenant_id:
        rows = rows.filter(tenant_id=tenant_id)
    return rows.count()


def markets_with_unfinished_orders(*, tenant_id: str) -> frozenset[str]:
    """Return the markets in which a tenant has orders that something can still happen to."""
    rows = Order.objects.filter(tenant_id=tenant_id, state__in=UNFINISHED)
    return frozenset(rows.order_by().values_list("market_id", flat=True))


def units_on_offer(*, portfolio_id: str, outcome_id: str) -> Decimal:
    """Add up the units in sells that are on their way."""
    rows = Order.objects.filter(portfolio_id=portfolio_id, outcome_id=outcome_id, side="sell", state__in=UNFINISHED)
    return rows.aggregate(total=Sum("units"))["total"] or Decimal(0)


def has_order_for_signal(*, signal_id: str, tenant_id: str) -> bool:
    """Say whether a tenant has an order from this signal that was filled or still may be."""
    return Order.objects.filter(signal_id=signal_id, tenant_id=tenant_id).exclude(state__in=FRUITLESS).exists()


def orders_table() -> Table:
    """Return the rows of orders that the API and the desk list."""
    return Order.objects.values(
        "id",
        "tenant_id",
        "portfolio_id",
        "market_id",
        "outcome_id",
        "decision_id",
        "signal_id",
        "side",
        "stake_minor",
        "units",
        "limit_price",
        "venue",
        "state",
        "reason",
        "attempts",
        "created_at",
        "sent_at",
        "finished_at",
        "by",
        portfolio_kind=F("portfolio__kind"),
        currency=F("portfolio__currency"),
        question=F("market__question"),
        outcome_label=F("outcome__label"),
    )


def fills_table() -> Table:
    """Return the rows of fills with their evidence."""
    return Fill.objects.values(
        "id",
        "order_id",
        "venue_fill_id",
        "units",
        "price",
        "notional_minor",
        "fee_minor",
        "is_depth_limited",
        "evidence",
        "filled_at",
        tenant_id=F("order__tenant_id"),
        portfolio_id=F("order__portfolio_id"),
        portfolio_kind=F("order__portfolio__kind"),
        currency=F("order__portfolio__currency"),
        market_id=F("order__market_id"),
        outcome_id=F("order__outcome_id"),
        side=F("order__side"),
        question=F("order__market__question"),
        outcome_label=F("order__outcome__label"),
    )


def order_view(row: Order) -> OrderView:
    """Turn a row into what leaves the room."""
    return OrderView(
        id=row.id,
        tenant_id=row.tenant_id,
        portfolio_id=row.portfolio_id,
        market_id=row.market_id,
        outcome_id=row.outcome_id,
        decision_id=row.decision_id,
        signal_id=row.signal_id,
        side=cast(Side, row.side),
        stake_minor=row.stake_minor,
        units=row.units,
        limit_price=row.limit_price,
        state=cast(OrderState, row.state),
        reason=row.reason,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
