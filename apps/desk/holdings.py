"""What the desk holds, what was filled, and how markets ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Avg, Count, F

from apps.desk.types import PortfolioFigures, ResultRow
from apps.forecasts import selectors as forecasts
from apps.markets import selectors as markets
from apps.markets.types import MarketView, ResultView
from apps.portfolio import selectors as portfolios
from apps.portfolio.types import PortfolioView
from apps.settlement import selectors as settlements
from apps.tenants import selectors as tenants
from apps.trading import selectors as trading

ROWS_MAX = 8
RESULTS_MAX = 10


def all_portfolios(*, now: datetime) -> tuple[PortfolioFigures, ...]:
    """Return every active tenant's portfolios with their money."""
    views = [view for tenant in tenants.active_tenants() for view in portfolios.portfolios(tenant.id)]
    return tuple(figures_of(view, now=now) for view in views)


def figures_of(view: PortfolioView, *, now: datetime) -> PortfolioFigures:
    """Return one portfolio's money."""
    equity = portfolios.equity(view.id, now=now)
    return PortfolioFigures(
        id=view.id,
        kind=view.kind,
        currency=view.currency,
        equity_minor=equity.equity_minor,
        change_minor=equity.equity_minor - equity.day_start_minor,
        drawdown_minor=equity.equity_minor - equity.peak_minor,
        open_positions=portfolios.positions_table().filter(portfolio_id=view.id, state="open").count(),
    )


def open_positions() -> list[dict[str, Any]]:
    """Return the newest open positions of all portfolios."""
    table = portfolios.positions_table().filter(state="open").order_by("-opened_at", "-id")
    return list(table[:ROWS_MAX])


def latest_fills() -> list[dict[str, Any]]:
    """Return the newest fills with their market, outcome and portfolio."""
    return list(trading.fills_table().order_by("-filled_at", "-id")[:ROWS_MAX])


def settled_results() -> tuple[ResultRow, ...]:
    """Return the markets that were settled last: first those in which we held something or that had a book."""
    table = settlements.settlements_table().filter(reversed_at__isnull=True, market__instrument_id__isnull=True)
    rows = list(table.order_by("-settled_at", "-id")[:RESULTS_MAX])
    market_ids = [row["market_id"] for row in rows]
    found, ended = markets.markets_by_ids(market_ids), markets.latest_results(market_ids=market_ids)
    scores = scores_of(market_ids)
    return tuple(
        result_row(row, found[row["market_id"]], ended.get(row["market_id"]), scores.get(row["market_id"], {})) for row in rows
    )


def scores_of(market_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return the mean scores of each market's forecasts, by market id."""
    judged = forecasts.scores_table().filter(market_id__in=market_ids).order_by("market_id").values("market_id")
    rows = judged.annotate(
        n=Count("forecast_id"),
        mean_brier=Avg("brier"),
        mean_brier_price=Avg("brier_price"),
        gain=Avg(F("log_loss_price") - F("log_loss_model")),
    )
    return {row["market_id"]: row for row in rows}


def result_row(row: Mapping[str, Any], market: MarketView, result: ResultView | None, score: Mapping[str, Any]) -> ResultRow:
    """Put one row together."""
    return ResultRow(
        market_id=market.id,
        question=market.question,
        ended=ending(market, result),
        kind=row["kind"],
        settled_at=row["settled_at"],
        realised_minor=row["realised_minor"],
        currency=row["currency"],
        forecasts=score.get("n", 0),
        brier=score.get("mean_brier"),
        brier_price=score.get("mean_brier_price"),
        log_loss_gain=score.get("gain"),
    )


def ending(market: MarketView, result: ResultView | None) -> str:
    """Say how a market ended: the outcome that paid in full, void, or what each outcome paid."""
    if result is None:
        return ""
    if result.kind == "void":
        return "void"
    paid = [(outcome.label, result.payouts.get(outcome.id)) for outcome in market.outcomes]
    winners = [label for label, payout in paid if payout == 1]
    if market.pays == "binary" and len(winners) == 1:
        return winners[0]
    return ", ".join(f"{label} {payout.normalize():f}" for label, payout in paid if payout is not None)


def equity_series(portfolio_id: str, *, since: datetime, points: int) -> list[Any]:
    """Return a portfolio's equity over time."""
    return list(portfolios.equity_series(portfolio_id, since=since, points=points))
