"""Deciding on an intent: facts, checks, a stored decision; all under the bankroll's lock.

The caller places the hold (called `hold_reference(decision.id)`) in the same transaction, so that the next decision of
this bankroll sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from apps.core.db import lock_for_transaction, transaction_required
from apps.portfolio import selectors as portfolios
from apps.portfolio.errors import PortfolioNotFound
from apps.portfolio.types import PortfolioView
from apps.risk import checks
from apps.risk.facts import situation_of
from apps.risk.models import Decision
from apps.risk.selectors import locks_in_force
from apps.risk.services.locking import trip
from apps.risk.situation import Situation
from apps.risk.types import DecisionView, OrderIntent

DRAWDOWN_REST = timedelta(hours=24)


@transaction_required
def decide(*, intent: OrderIntent, now: datetime, by: str) -> DecisionView:
    """Judge the intent against every limit and store the decision with its figures.

    Waits for the portfolio's bankroll lock and keeps it until the caller's transaction ends. A daily loss or a
    drawdown at its limit also sets a lock with an expiry. Raises PortfolioNotFound, MarketNotFound, LimitsNotFound.
    """
    lock_for_transaction(f"bankroll:{intent.portfolio_id}")
    situation = situation_of(intent, portfolio=_own_portfolio(intent), now=now)
    _trip_protections(situation, tenant_id=intent.tenant_id, by=by, now=now)
    in_force = locks_in_force(tenant_id=intent.tenant_id, now=now)
    stopping = tuple(lock.name for lock in in_force if lock.stops(intent.portfolio_kind))
    situation = replace(situation, locks=stopping)
    return _store(intent, situation, checks.evaluate(situation, checks.CHECKS), now=now)


def _own_portfolio(intent: OrderIntent) -> PortfolioView:
    portfolio = portfolios.portfolio_by_id(intent.portfolio_id)
    if (portfolio.tenant_id, portfolio.kind) != (intent.tenant_id, intent.portfolio_kind):
        raise PortfolioNotFound(intent.portfolio_id)
    return portfolio


def _trip_protections(situation: Situation, *, tenant_id: str, by: str, now: datetime) -> None:
    """Set the locks of protections that are over their limits: the day's until midnight UTC, the drawdown's for a day."""
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    for name, judge, expires_at in (
        ("daily_loss", checks.daily_loss, tomorrow),
        ("drawdown", checks.drawdown, now + DRAWDOWN_REST),
    ):
        finding = judge(situation)
        if not finding.is_within:
            reason = f"{finding.figure} minor units lost, limit {finding.limit}"
            trip(tenant_id=tenant_id, name=f"{name}:{situation.kind}", reason=reason, expires_at=expires_at, by=by, now=now)


def _store(intent: OrderIntent, situation: Situation, judged: Sequence[checks.Judged], *, now: datetime) -> DecisionView:
    refusals = tuple(check for check in judged if not check.finding.is_within)
    decision = Decision.objects.create(
        tenant_id=intent.tenant_id,
        portfolio_id=intent.portfolio_id,
        market_id=intent.market_id,
        outcome_id=intent.outcome_id,
        intent=_plain(intent),
        is_allowed=not refusals,
        reasons=[check.code for check in refusals],
        checks={check.code: asdict(check.finding) for check in judged},
        decided_at=now,
    )
    return DecisionView(
        id=decision.id,
        is_allowed=decision.is_allowed,
        reasons=tuple(decision.reasons),
        is_transient=bool(refusals) and all(check.is_transient for check in refusals),
        worst_fee_minor=situation.worst_fee_minor,
    )


def _plain(intent: OrderIntent) -> dict[str, Any]:
    """Write the intent as JSON with decimals as text."""
    keep = (str, int, type(None))
    return {name: value if isinstance(value, keep) else str(value) for name, value in asdict(intent).items()}
