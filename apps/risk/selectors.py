"""Questions about limits, locks and decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from apps.ledger import selectors as ledger
from apps.portfolio import selectors as portfolios
from apps.portfolio.exposure import exposure_of
from apps.portfolio.types import PortfolioView
from apps.risk.errors import LimitsNotFound
from apps.risk.models import Decision, Limits, Lock
from apps.risk.pending import pending_stakes
from apps.risk.types import LimitsView, LockView, PortfolioRisk, RiskStatus
from apps.tenants import selectors as tenants

Table = QuerySet[Any, Any]  # rows are dicts
LIMIT_NAMES = tuple(LimitsView.__dataclass_fields__)


def get_limits(tenant_id: str) -> LimitsView:
    """Return the tenant's limits. Raises LimitsNotFound."""
    limits = Limits.objects.filter(tenant_id=tenant_id).first()
    if limits is None:
        raise LimitsNotFound(tenant_id)
    return limits_view(limits)


def locks_in_force(*, tenant_id: str, now: datetime) -> tuple[LockView, ...]:
    """Return the tenant's stops that are neither lifted nor expired, by name."""
    in_force = Lock.objects.filter(tenant_id=tenant_id, lifted_at__isnull=True)
    rows = in_force.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
    return tuple(lock_view(row) for row in rows.order_by("name"))


def latest_decision_at(*, portfolio_id: str, outcome_id: str) -> datetime | None:
    """Return when this portfolio was last decided on for this outcome, or None."""
    rows = Decision.objects.filter(portfolio_id=portfolio_id, outcome_id=outcome_id)
    return rows.order_by("-decided_at").values_list("decided_at", flat=True).first()


def status(*, tenant_id: str, now: datetime) -> RiskStatus:
    """Return limits, locks in force and each portfolio's standing. Raises TenantNotFound and LimitsNotFound."""
    return RiskStatus(
        tenant_id=tenant_id,
        currency=tenants.get_tenant(tenant_id).currency,
        limits=get_limits(tenant_id),
        locks=locks_in_force(tenant_id=tenant_id, now=now),
        portfolios=tuple(_portfolio_risk(portfolio, now=now) for portfolio in portfolios.portfolios(tenant_id)),
    )


def limits_table() -> Table:
    """Return the rows of limits that the API lists."""
    rows: Table = Limits.objects.values("id", *LIMIT_NAMES, "updated_at", "updated_by", currency=F("tenant__currency"))
    return rows


def locks_table() -> Table:
    """Return the rows of locks, also lifted ones."""
    return Lock.objects.order_by("-set_at").values(
        "id", "tenant_id", "name", "reason", "set_by", "set_at", "expires_at", "lifted_at", "lifted_by"
    )


def decisions_table() -> Table:
    """Return the rows of decisions with every check's figures."""
    return Decision.objects.values(
        "id",
        "tenant_id",
        "portfolio_id",
        "market_id",
        "outcome_id",
        "intent",
        "is_allowed",
        "reasons",
        "checks",
        "decided_at",
        portfolio_kind=F("portfolio__kind"),
    )


def limits_view(row: Limits) -> LimitsView:
    """Turn a row into what leaves the room."""
    return LimitsView(**{name: getattr(row, name) for name in LIMIT_NAMES})


def lock_view(row: Lock) -> LockView:
    """Turn a row into what leaves the room."""
    return LockView(row.name, row.reason, set_by=row.set_by, set_at=row.set_at, expires_at=row.expires_at)


def _portfolio_risk(portfolio: PortfolioView, *, now: datetime) -> PortfolioRisk:
    cash = ledger.get_account(tenant_id=portfolio.tenant_id, code=portfolio.account_code("cash"))
    exposure = exposure_of((*portfolios.open_stakes(portfolio.id), *pending_stakes(cash)))
    equity = portfolios.equity(portfolio.id, now=now)
    return PortfolioRisk(
        kind=portfolio.kind,
        equity_minor=equity.equity_minor,
        peak_minor=equity.peak_minor,
        day_change_minor=equity.equity_minor - equity.day_start_minor,
        available_minor=cash.available_minor,
        held_minor=cash.held_minor,
        exposure_minor=exposure.total_minor,
        positions_open=exposure.positions_open,
        by_category_minor=exposure.by_category_minor,
    )
