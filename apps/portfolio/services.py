"""Making portfolios, and moving their positions with fills and settlements.

The ledger entry of a fill or settlement is posted by the room that causes it, in the same transaction; here the
positions and the course of the equity follow. Each portfolio's row is locked first, so its equity points form one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal

from django.db.models import F

from apps.audit import services as audit
from apps.core.db import transaction, transaction_required
from apps.ledger import services as ledger
from apps.ledger.types import PostingLine
from apps.portfolio import exposure
from apps.portfolio.errors import NotEnoughUnits, PortfolioNotFound, PositionNotFound, PositionStateWrong
from apps.portfolio.models import EquityPoint, Portfolio, Position
from apps.portfolio.selectors import view_of
from apps.portfolio.types import KINDS, FillEffect, PortfolioKind, PortfolioView, Side
from apps.tenants import selectors as tenants

Cause = Literal["capital", "fill", "settlement", "reversal"]
ACCOUNT_KINDS = {"cash": "asset", "positions": "asset", "fees": "expense", "result": "income", "capital": "equity"}


@transaction
def ensure_portfolios(
    *, tenant_id: str, capital_minor: Mapping[PortfolioKind, int], by: str, now: datetime
) -> tuple[PortfolioView, ...]:
    """Make the tenant's main and shadow portfolio with their accounts and opening capital, unless they are there.

    `capital_minor` per kind is booked once, when the portfolio is made. Raises TenantNotFound.
    """
    currency = tenants.get_tenant(tenant_id).currency
    return tuple(
        _ensure_portfolio(tenant_id, kind, currency, capital_minor=capital_minor.get(kind, 0), by=by, now=now) for kind in KINDS
    )


@transaction_required
def apply_fill(
    *,
    portfolio_id: str,
    market_id: str,
    outcome_id: str,
    side: Side,
    units: Decimal,
    notional_minor: int,
    fee_minor: int,
    by: str,
    now: datetime,
) -> FillEffect:
    """Move a position by one fill and return what it did to its cost.

    `notional_minor` is what the units cost or brought, without `fee_minor`. Raises PortfolioNotFound, and
    NotEnoughUnits when a sell exceeds what is held.
    """
    portfolio = _locked_portfolio(portfolio_id)
    position = _position_to_fill(portfolio, market_id, outcome_id, now=now)
    holding = _holding_of(position)
    if side == "sell" and units > holding.units:
        raise NotEnoughUnits(f"{outcome_id}: {units} of {holding.units}")
    move = exposure.bought if side == "buy" else exposure.sold
    change = move(holding, units=units, notional_minor=notional_minor, fee_minor=fee_minor)
    _keep_holding(position, change.holding, now=now)
    _step_equity(portfolio, change.gain_minor - fee_minor, cause="fill", by=by, now=now)
    return FillEffect(position_id=position.id, cost_minor=change.cost_minor, gain_minor=change.gain_minor)


@transaction_required
def settle_position(*, position_id: str, paid_minor: int, realised_minor: int, by: str, now: datetime) -> None:
    """Close a position for what its outcome paid; `realised_minor` has cost and fees taken off.

    Raises PositionNotFound, and PositionStateWrong when it is closed already.
    """
    position = _locked_position(position_id, expected_state="open")
    change_minor = paid_minor - position.cost_minor
    after = exposure.Holding(Decimal(0), cost_minor=0, fees_minor=0, realised_minor=position.realised_minor + realised_minor)
    _keep_holding(position, after, now=now)
    _step_equity(position.portfolio, change_minor, cause="settlement", by=by, now=now)


@transaction_required
def reopen_position(
    *,
    position_id: str,
    units: Decimal,
    cost_minor: int,
    fees_minor: int,
    paid_minor: int,
    realised_minor: int,
    by: str,
    now: datetime,
) -> None:
    """Undo `settle_position`: give the position its units, cost and fees back and take back what it was paid.

    Raises PositionNotFound, and PositionStateWrong when it is not closed.
    """
    position = _locked_position(position_id, expected_state="closed")
    before = exposure.Holding(units, cost_minor, fees_minor, realised_minor=position.realised_minor - realised_minor)
    _keep_holding(position, before, now=now)
    _step_equity(position.portfolio, cost_minor - paid_minor, cause="reversal", by=by, now=now)


def _ensure_portfolio(
    tenant_id: str, kind: PortfolioKind, currency: str, *, capital_minor: int, by: str, now: datetime
) -> PortfolioView:
    portfolio, is_new = Portfolio.objects.get_or_create(
        tenant_id=tenant_id, kind=kind, defaults={"currency": currency, "created_at": now}
    )
    if is_new:
        _book_capital(portfolio, capital_minor, by=by, now=now)
        audit.record(
            action="portfolio.created",
            subject=portfolio.id,
            by=by,
            now=now,
            tenant=tenant_id,
            detail={"kind": kind, "currency": currency, "capital_minor": capital_minor},
        )
    return view_of(portfolio)


def _book_capital(portfolio: Portfolio, capital_minor: int, *, by: str, now: datetime) -> None:
    accounts = {
        part: ledger.open_account(
            tenant_id=portfolio.tenant_id,
            code=f"{portfolio.kind}:{part}",
            kind=kind,
            currency=portfolio.currency,
            may_go_negative=part != "cash",
            by=by,
            now=now,
        )
        for part, kind in ACCOUNT_KINDS.items()
    }
    if capital_minor:
        ledger.post(
            tenant_id=portfolio.tenant_id,
            reference=f"capital:{portfolio.id}",
            kind="capital",
            lines=(PostingLine(accounts["cash"].id, capital_minor), PostingLine(accounts["capital"].id, -capital_minor)),
            by=by,
            now=now,
        )
    _step_equity(portfolio, capital_minor, cause="capital", by=by, now=now)


def _locked_portfolio(portfolio_id: str) -> Portfolio:
    portfolio = Portfolio.objects.select_for_update(no_key=True).filter(id=portfolio_id).first()
    if portfolio is None:
        raise PortfolioNotFound(portfolio_id)
    return portfolio


def _locked_position(position_id: str, *, expected_state: Literal["open", "closed"]) -> Position:
    """Lock the position's portfolio, then return the position as it is under that lock."""
    owner = Position.objects.filter(id=position_id).values_list("portfolio_id", flat=True).first()
    if owner is None:
        raise PositionNotFound(position_id)
    portfolio = _locked_portfolio(owner)
    position = Position.objects.select_for_update(no_key=True).get(id=position_id)
    position.portfolio = portfolio
    if position.state != expected_state:
        raise PositionStateWrong(f"{position_id} is {position.state}, not {expected_state}")
    return position


def _position_to_fill(portfolio: Portfolio, market_id: str, outcome_id: str, *, now: datetime) -> Position:
    known = Position.objects.select_for_update(no_key=True).filter(portfolio=portfolio, outcome_id=outcome_id).first()
    if known is not None:
        return known
    return Position(portfolio=portfolio, market_id=market_id, outcome_id=outcome_id, state="closed", opened_at=now)


def _holding_of(position: Position) -> exposure.Holding:
    return exposure.Holding(Decimal(position.units), position.cost_minor, position.fees_minor, position.realised_minor)


def _keep_holding(position: Position, holding: exposure.Holding, *, now: datetime) -> None:
    is_open = holding.units > 0
    position.state = "open" if is_open else "closed"
    position.closed_at = None if is_open else now
    position.units = holding.units
    position.cost_minor = holding.cost_minor
    position.fees_minor = holding.fees_minor
    position.realised_minor = holding.realised_minor
    position.save()


def _step_equity(portfolio: Portfolio, change_minor: int, *, cause: Cause, by: str, now: datetime) -> None:
    """Append the next point of the equity's course; the caller holds the portfolio's lock."""
    before = (
        EquityPoint.objects.filter(portfolio=portfolio)
        .order_by("-id")
        .values(equity=F("equity_minor"), peak=F("peak_minor"))
        .first()
    )
    equity_minor = (before["equity"] if before else 0) + change_minor
    EquityPoint.objects.create(
        portfolio=portfolio,
        at=now,
        change_minor=change_minor,
        equity_minor=equity_minor,
        peak_minor=max(before["peak"], equity_minor) if before else equity_minor,
        cause=cause,
        by=by,
    )
