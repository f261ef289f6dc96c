"""Questions about settlements, and about markets that wait for theirs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from django.db.models import Exists, F, OuterRef, QuerySet

from apps.markets import selectors as markets
from apps.markets.types import ResultView
from apps.portfolio import selectors as portfolios
from apps.portfolio.types import PositionView
from apps.settlement import rules
from apps.settlement.models import Settlement, SettlementLine
from apps.settlement.types import Kind, PlannedLine, SettlementView
from apps.tenants import selectors as tenants
from apps.trading import selectors as trading

Table = QuerySet[Any, Any]  # rows are dicts
VIEW_FIELDS = tuple(SettlementView.__dataclass_fields__)


def in_force(*, market_id: str, tenant_id: str) -> SettlementView | None:
    """Return the settlement of a market that holds for a tenant, or None."""
    row = Settlement.objects.filter(market_id=market_id, tenant_id=tenant_id, reversed_at__isnull=True).first()
    return settlement_view(row) if row else None


def markets_to_settle(*, tenant_id: str, limit: int | None = None) -> tuple[str, ...]:
    """Return the markets whose newest result this tenant has not settled by, the longest known first.

    A result that was settled and reversed by a person waits for a person.
    """
    settled = Settlement.objects.filter(tenant_id=tenant_id, result_id=OuterRef("id"))
    newer = markets.results_table().filter(market_id=OuterRef("market_id"), revision__gt=OuterRef("revision"))
    results = markets.results_table().filter(~Exists(settled), ~Exists(newer)).order_by("observed_at", "id")
    return tuple(results.values_list("market_id", flat=True)[:limit])


def touched(market_ids: Iterable[str], *, tenant_id: str) -> tuple[str, ...]:
    """Return those markets in which a tenant has open positions, unfinished orders or an earlier settlement, in their order."""
    wanted = tuple(market_ids)
    held = {position.market_id for position in portfolios.open_positions(tenant_id=tenant_id)}
    settled = Settlement.objects.filter(tenant_id=tenant_id, market_id__in=wanted).values_list("market_id", flat=True)
    has_something = held | trading.markets_with_unfinished_orders(tenant_id=tenant_id) | set(settled)
    return tuple(market_id for market_id in wanted if market_id in has_something)


def pending(*, now: datetime) -> int:
    """Count what still has to end: markets past their close without a result, and results not settled by every tenant."""
    unresolved = markets.markets_table().filter(state__in=("open", "closed"), closes_at__lte=now).count()
    return unresolved + unsettled()


def unsettled() -> int:
    """Count the results that tenants have not settled by, over all active tenants."""
    return sum(len(markets_to_settle(tenant_id=tenant.id)) for tenant in tenants.active_tenants())


def plan(*, market_id: str, tenant_id: str) -> tuple[PlannedLine, ...]:
    """Return what settling the market by its newest result would pay each open position; empty without a result."""
    result = markets.latest_result(market_id)
    if result is None:
        return ()
    held = portfolios.open_positions(tenant_id=tenant_id, market_id=market_id)
    return tuple(_planned(position, result, tenant_id) for position in held)


def settlements_table() -> Table:
    """Return the rows of settlements that the API and the desk list."""
    rows: Table = Settlement.objects.values(
        *VIEW_FIELDS,
        "reversed_reason",
        "by",
        currency=F("tenant__currency"),
        question=F("market__question"),
    )
    return rows


def lines_table() -> Table:
    """Return the rows of settlement lines: what each position was paid."""
    return SettlementLine.objects.values(
        "id",
        "settlement_id",
        "position_id",
        "outcome_id",
        "units",
        "payout",
        "cost_minor",
        "fees_minor",
        "paid_minor",
        "realised_minor",
        "entry_id",
        tenant_id=F("settlement__tenant_id"),
        market_id=F("settlement__market_id"),
        settled_at=F("settlement__settled_at"),
        reversed_at=F("settlement__reversed_at"),
        currency=F("settlement__tenant__currency"),
        portfolio_kind=F("position__portfolio__kind"),
        question=F("settlement__market__question"),
        outcome_label=F("outcome__label"),
    )


def settlement_view(row: Settlement) -> SettlementView:
    """Turn a row into what leaves the room."""
    values = {name: getattr(row, name) for name in VIEW_FIELDS}
    return SettlementView(**{**values, "kind": cast(Kind, row.kind)})


def _planned(position: PositionView, result: ResultView, tenant_id: str) -> PlannedLine:
    paid = rules.payment(
        kind=result.kind,
        units=position.units,
        payout=rules.payout_of(position.outcome_id, kind=result.kind, payouts=result.payouts),
        cost_minor=position.cost_minor,
        fees_minor=position.fees_minor,
        currency=portfolios.portfolio_by_id(position.portfolio_id).currency,
    )
    return PlannedLine(
        tenant_id=tenant_id,
        market_id=position.market_id,
        position_id=position.id,
        portfolio_id=position.portfolio_id,
        outcome_id=position.outcome_id,
        units=position.units,
        payout=paid.payout,
        cost_minor=position.cost_minor,
        fees_minor=position.fees_minor,
        paid_minor=paid.paid_minor,
        realised_minor=paid.realised_minor,
    )
