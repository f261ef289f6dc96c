"""Questions about portfolios, positions and equity; answers are frozen types, or QuerySets of dicts for lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django.db.models import F, QuerySet

from apps.portfolio.errors import PortfolioNotFound
from apps.portfolio.exposure import Stake, exposure_of
from apps.portfolio.models import EquityPoint, Portfolio, Position
from apps.portfolio.types import Equity, EquityStep, Exposure, PortfolioKind, PortfolioView, PositionView

Table = QuerySet[Any, Any]  # rows are dicts


def get_portfolio(tenant_id: str, kind: PortfolioKind) -> PortfolioView:
    """Return a tenant's portfolio of one kind. Raises PortfolioNotFound."""
    return _only(Portfolio.objects.filter(tenant_id=tenant_id, kind=kind), f"{kind} of {tenant_id}")


def portfolio_by_id(portfolio_id: str) -> PortfolioView:
    """Return the portfolio with this identity. Raises PortfolioNotFound."""
    return _only(Portfolio.objects.filter(id=portfolio_id), portfolio_id)


def portfolios(tenant_id: str) -> tuple[PortfolioView, ...]:
    """Return a tenant's portfolios, main first."""
    return tuple(view_of(row) for row in Portfolio.objects.filter(tenant_id=tenant_id).order_by("kind"))


def open_positions(*, tenant_id: str, market_id: str | None = None) -> tuple[PositionView, ...]:
    """Return a tenant's open positions (in one market), in the order in which their portfolios are locked."""
    rows = Position.objects.filter(portfolio__tenant_id=tenant_id, state="open").select_related("portfolio")
    if market_id is not None:
        rows = rows.filter(market_id=market_id)
    return tuple(_position_view(row) for row in rows.order_by("portfolio_id", "id"))


def position_of(portfolio_id: str, outcome_id: str) -> PositionView | None:
    """Return what a portfolio holds or held of one outcome, or None."""
    row = Position.objects.filter(portfolio_id=portfolio_id, outcome_id=outcome_id).select_related("portfolio").first()
    return _position_view(row) if row else None


def open_stakes(portfolio_id: str) -> tuple[Stake, ...]:
    """Return the money at risk in each open position, at cost with fees."""
    rows = Position.objects.filter(portfolio_id=portfolio_id, state="open").select_related("market")
    return tuple(Stake(row.outcome_id, row.market.event_id, row.market.category, row.cost_minor + row.fees_minor) for row in rows)


def exposure(portfolio_id: str) -> Exposure:
    """Return the money at risk per outcome, event and category."""
    return exposure_of(open_stakes(portfolio_id))


def equity(portfolio_id: str, *, now: datetime) -> Equity:
    """Return the book equity now, its peak, and what it was when the UTC day of `now` began."""
    points = EquityPoint.objects.filter(portfolio_id=portfolio_id).order_by("-id")
    latest = points.first()
    if latest is None:
        return Equity(at=None, equity_minor=0, peak_minor=0, day_start_minor=0)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    # A portfolio born today began its day with its opening capital.
    day_start = points.filter(at__lt=midnight).first() or points.filter(cause="capital").first() or latest
    return Equity(
        at=latest.at, equity_minor=latest.equity_minor, peak_minor=latest.peak_minor, day_start_minor=day_start.equity_minor
    )


def equity_series(portfolio_id: str, *, since: datetime, points: int) -> tuple[EquityStep, ...]:
    """Return the newest `points` changes of equity since `since`, oldest first, for a chart."""
    rows = EquityPoint.objects.filter(portfolio_id=portfolio_id, at__gte=since).order_by("-id")[:points]
    return tuple(EquityStep(row.at, row.equity_minor, row.peak_minor) for row in reversed(rows))


def portfolios_table() -> Table:
    """Return the rows of portfolios that the API lists."""
    return Portfolio.objects.values("id", "tenant_id", "kind", "currency", "created_at")


def positions_table() -> Table:
    """Return the rows of positions that the API and the desk list."""
    return Position.objects.values(
        "id",
        "portfolio_id",
        "market_id",
        "outcome_id",
        "state",
        "units",
        "cost_minor",
        "fees_minor",
        "realised_minor",
        "opened_at",
        "closed_at",
        tenant_id=F("portfolio__tenant_id"),
        portfolio_kind=F("portfolio__kind"),
        currency=F("portfolio__currency"),
        question=F("market__question"),
        outcome_label=F("outcome__label"),
    )


def view_of(row: Portfolio) -> PortfolioView:
    """Turn a row into what leaves the room."""
    return PortfolioView(id=row.id, tenant_id=row.tenant_id, kind=cast(PortfolioKind, row.kind), currency=row.currency)


def _only(rows: QuerySet[Portfolio], asked_for: str) -> PortfolioView:
    row = rows.first()
    if row is None:
        raise PortfolioNotFound(asked_for)
    return view_of(row)


def _position_view(row: Position) -> PositionView:
    return PositionView(
        id=row.id,
        portfolio_id=row.portfolio_id,
        portfolio_kind=cast(PortfolioKind, row.portfolio.kind),
        market_id=row.market_id,
        outcome_id=row.outcome_id,
        state="open" if row.state == "open" else "closed",
        units=row.units,
        cost_minor=row.cost_minor,
        fees_minor=row.fees_minor,
        realised_minor=row.realised_minor,
    )
