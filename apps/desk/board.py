"""The board: live markets with their prices, forecasts and edge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from apps.desk.types import BoardRow, RolledRow
from apps.forecasts import selectors as forecasts
from apps.forecasts.types import ForecastView
from apps.markets import selectors as markets
from apps.markets.prices import is_placeholder
from apps.markets.types import MarketView, Price
from apps.monitoring.freshness import BOOK_AGE_MAX_S, is_fresh

BOOK_ROWS_MAX = 12
ROLLED_ROWS_MAX = 8
TWO = Decimal(2)


def live_markets(*, now: datetime, chosen_id: str) -> tuple[BoardRow, ...]:
    """Return the open markets with a book, the soonest to close first."""
    live = markets.markets_table().filter(state="open", accepts_orders=True, closes_at__gt=now)
    found = in_order(live.order_by("closes_at", "id").values_list("id", flat=True)[:BOOK_ROWS_MAX])
    prices = markets.latest_prices([outcome.id for market in found for outcome in market.outcomes])
    opinions = forecasts.latest_forecasts([market.id for market in found])
    return tuple(board_row(market, prices, opinions.get(market.id), now=now, chosen_id=chosen_id) for market in found)


def in_order(market_ids: Any) -> list[MarketView]:
    """Return the markets with these ids, in their order."""
    wanted = list(market_ids)
    found = markets.markets_by_ids(wanted)
    return [found[market_id] for market_id in wanted if market_id in found]


def board_row(
    market: MarketView, prices: Mapping[str, Price], forecast: ForecastView | None, *, now: datetime, chosen_id: str
) -> BoardRow:
    """Put one row together."""
    first = market.outcomes[0]
    price = prices.get(first.id)
    edge, side = best_edge(market, prices, forecast)
    age_s = (now - price.confirmed_at).total_seconds() if price else None
    return BoardRow(
        id=market.id,
        question=market.question,
        outcome=first.label,
        category=market.category,
        closes_at=market.closes_at,
        closes_in_s=(market.closes_at - now).total_seconds(),
        bid=price.bid if price else None,
        ask=price.ask if price else None,
        mid=mid_of(price),
        model=forecast.p_model if forecast else None,
        final=forecast.p_final if forecast else None,
        edge=edge,
        edge_side=side,
        price_age_s=age_s,
        is_stale=not is_fresh(age_s, BOOK_AGE_MAX_S, speed=settings.SCHEDULE_SPEED),
        is_chosen=market.id == chosen_id,
    )


def mid_of(price: Price | None) -> Decimal | None:
    """Return the middle of bid and ask where both are there and say something: 0.01 against 0.99 is no price."""
    if price is None or price.bid is None or price.ask is None or is_placeholder(price.bid, price.ask):
        return None
    return (price.bid + price.ask) / TWO


def best_edge(market: MarketView, prices: Mapping[str, Price], forecast: ForecastView | None) -> tuple[Decimal | None, str]:
    """Return the model's edge on its better outcome, net of ask and fee, and that outcome's label."""
    if forecast is None or forecast.p_model is None or market.pays != "binary" or len(market.outcomes) != 2:
        return None, ""
    chances = (forecast.p_model, 1 - forecast.p_model)
    edges = [
        (chance - price.ask - market.fee_rate * price.ask * (1 - price.ask), outcome.label)
        for chance, outcome in zip(chances, market.outcomes, strict=True)
        if (price := prices.get(outcome.id)) and price.ask is not None
    ]
    return max(edges, default=(None, ""), key=lambda edge: edge[0])


def rolled_markets(*, now: datetime, chosen_id: str) -> tuple[RolledRow, ...]:
    """Return open markets that were rolled from instruments, the newest first."""
    live = markets.markets_table().filter(state="open", instrument_id__isnull=False, closes_at__gt=now)
    rows = {row["id"]: row for row in live.order_by("-id")[:ROLLED_ROWS_MAX]}
    opinions = forecasts.latest_forecasts(rows)
    return tuple(rolled_row(row, opinions.get(market_id), now=now, chosen_id=chosen_id) for market_id, row in rows.items())


def rolled_row(row: Mapping[str, Any], forecast: ForecastView | None, *, now: datetime, chosen_id: str) -> RolledRow:
    """Put one row together."""
    is_linear = row["pays"] == "linear"
    final, low, high = said(forecast, is_linear=is_linear)
    return RolledRow(
        id=row["id"],
        question=short_question(row["question"], is_linear=is_linear),
        symbol=row["instrument__symbol"],
        is_linear=is_linear,
        closes_at=row["closes_at"],
        closes_in_s=(row["closes_at"] - now).total_seconds(),
        final=final,
        low=low,
        high=high,
        base=forecast.p_base if forecast else None,
        is_chosen=row["id"] == chosen_id,
    )


def short_question(question: str, *, is_linear: bool) -> str:
    """Return a rolled market's question without its moment, which has a column of its own."""
    head, moment, _ = question.partition(" at the close of ")
    return f"{head} at the close" if is_linear and moment else head


def said(forecast: ForecastView | None, *, is_linear: bool) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return what a forecast says with its interval: a value of a linear market, else a probability."""
    if forecast is None:
        return None, None, None
    if is_linear:
        return forecast.value, forecast.value_low, forecast.value_high
    return forecast.p_final, forecast.p_low, forecast.p_high
