"""Turning fresh forecasts into signals behind the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from apps.audit import services as audit
from apps.core import bell
from apps.core.db import durable, transaction
from apps.forecasts import selectors as forecasts
from apps.markets import selectors as markets
from apps.signals import proposals, selectors
from apps.signals.gate import Verdict
from apps.signals.models import Signal
from apps.signals.proposals import Proposal
from apps.signals.types import Counts

if TYPE_CHECKING:
    from apps.forecasts.types import ForecastView
    from apps.markets.types import MarketView, Price

FRESH = timedelta(minutes=5)  # a forecast or a book older than this moves no money
FRESH_FLOOR = timedelta(seconds=5)  # however fast the world plays: our own clocks tick once a second and miss a few
DENIED_REST = timedelta(minutes=15)  # after a refusal a market is left alone for a while
MARKETS_MAX = 500


@durable
def generate(*, now: datetime, by: str) -> Counts:
    """Make the signals that fresh forecasts give: one shadow signal per market, and what the gate lets through.

    Any number may run at once: uniqueness is the table's, so that a bell rung in the middle of a run is never lost.
    """
    fresh = forecasts.forecasts_for_signals(now=now, age_max=_fresh(), limit=MARKETS_MAX)
    decided = selectors.decided_kinds([view.market_id for view in fresh], rested_before=now - DENIED_REST / _speed())
    asked = [view for view in fresh if not {(view.market_id, "shadow"), (view.market_id, "main")} <= decided]
    found = _proposals(asked, decided, now) if asked else []
    return _store(found=found, by=by, now=now) if found else Counts()


def _speed() -> float:
    return float(settings.SCHEDULE_SPEED)


def _fresh() -> timedelta:
    return max(FRESH / _speed(), FRESH_FLOOR)


def _proposals(asked: Sequence[ForecastView], decided: set[tuple[str, str]], now: datetime) -> list[Proposal]:
    known = markets.markets_by_ids([view.market_id for view in asked])
    open_markets = {market.id: market for market in known.values() if proposals.takes_orders(market, now=now)}
    prices = markets.latest_prices(outcome.id for market in open_markets.values() for outcome in market.outcomes)
    live = {key: price for key, price in prices.items() if proposals.is_live(price, now=now, age_max=_fresh())}
    quoted = [view for view in asked if view.market_id in open_markets and _is_quoted(open_markets[view.market_id], live)]
    verdicts = selectors.verdicts() if quoted else {}
    return [
        proposal
        for view in quoted
        for proposal in _of_market(view, open_markets[view.market_id], live, verdicts)
        if (view.market_id, proposal.portfolio_kind) not in decided
    ]


def _is_quoted(market: MarketView, live: Mapping[str, Price]) -> bool:
    return any(outcome.id in live for outcome in market.outcomes)


def _of_market(
    view: ForecastView, market: MarketView, live: Mapping[str, Price], verdicts: Mapping[tuple[str, str], Verdict]
) -> list[Proposal]:
    verdict = verdicts.get((view.source, view.category)) or selectors.verdict(source=view.source, category=view.category)
    both = (proposals.shadow(view, market, live), proposals.main(view, market, live, verdict))
    return [proposal for proposal in both if proposal is not None]


@transaction
def _store(*, found: Sequence[Proposal], by: str, now: datetime) -> Counts:
    rows = [_as_row(proposal, now) for proposal in found]
    Signal.objects.bulk_create(rows, ignore_conflicts=True)
    # ignore_conflicts does not say which rows went in; ours are those whose ids are there.
    made = list(Signal.objects.filter(id__in=[row.id for row in rows]).order_by("id"))
    for row in made:
        audit.record(action=f"signal.{_deed(row)}", subject=row.id, by=by, now=now, detail=_detail(row))
    if any(row.state == "new" for row in made):
        bell.ring("tasks.trade.take")
    kinds = [_deed(row) for row in made]
    return Counts(shadow=kinds.count("shadow"), suppressed=kinds.count("suppressed"), main=kinds.count("main"))


def _deed(row: Signal) -> str:
    return "suppressed" if row.state == "suppressed" else row.portfolio_kind


def _detail(row: Signal) -> dict[str, object]:
    figures = ("forecast_id", "market_id", "outcome_id", "p_model", "p_price", "ask", "fee_per_unit", "edge_net", "reason")
    return {name: getattr(row, name) for name in figures}


def _as_row(proposal: Proposal, now: datetime) -> Signal:
    return Signal(
        forecast_id=proposal.forecast.id,
        market_id=proposal.forecast.market_id,
        outcome_id=proposal.outcome_id,
        portfolio_kind=proposal.portfolio_kind,
        state=proposal.state,
        reason=proposal.reason,
        model=proposal.forecast.model,
        p_model=proposal.p_model,
        p_price=proposal.p_price,
        ask=proposal.ask,
        fee_per_unit=proposal.fee_per_unit,
        edge_net=proposal.edge_net,
        made_at=now,
    )
