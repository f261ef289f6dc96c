"""The chosen market: which one it is, and the lines of its chart."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.desk.types import Focus, FocusPoint
from apps.forecasts import selectors as forecasts
from apps.forecasts.types import ForecastPoint
from apps.markets import selectors as markets
from apps.markets.errors import MarketNotFound
from apps.markets.types import MarketView

POINTS_MAX = 400
TABLE_ROWS = 8
LOOK_BACK = timedelta(days=30)


def choose(wished: str, *, now: datetime) -> str:
    """Return the wished market when it exists, else the most active: open with a book and the soonest to close.

    Without such a market it is the one that was forecast last; an empty string when there is none at all.
    """
    table = markets.markets_table()
    if wished and table.filter(id=wished).exists():
        return wished
    live = table.filter(state="open", accepts_orders=True, closes_at__gt=now).order_by("closes_at", "id")
    found = live.values_list("id", flat=True).first()
    return found or forecasts.forecasts_table().order_by("-as_of").values_list("market_id", flat=True).first() or ""


def focus_of(market_id: str, *, now: datetime) -> Focus | None:
    """Return what the caption and the table of the chart say; None when there is no such market."""
    try:
        market = markets.get_market(market_id)
    except MarketNotFound:
        return None
    points = forecasts.forecast_series(market_id, since=now - LOOK_BACK, limit=POINTS_MAX)
    is_linear = market.pays == "linear"
    moments = [point.as_of for point in points]
    return Focus(
        id=market.id,
        question=market.question,
        outcome=market.outcomes[0].label,
        state=market.state,
        is_linear=is_linear,
        has_book=market.instrument_id is None,
        closes_at=market.closes_at,
        first_at=moments[0] if moments else None,
        last_at=moments[-1] if moments else None,
        prices=sum(point.p_price is not None for point in points),
        forecasts=len(points),
        latest=tuple(focus_point(point, is_linear=is_linear) for point in reversed(points[-TABLE_ROWS:])),
    )


def focus_point(point: ForecastPoint, *, is_linear: bool) -> FocusPoint:
    """Write one forecast as a row."""
    if is_linear:
        return FocusPoint(at=point.as_of, price=None, model=None, final=point.value, low=point.value_low, high=point.value_high)
    return FocusPoint(
        at=point.as_of, price=point.p_price, model=point.p_model, final=point.p_final, low=point.p_low, high=point.p_high
    )


def chart_series(market_id: str, *, now: datetime) -> dict[str, Any]:
    """Return the aligned columns of the chart: price of every stored quote, and forecasts, as steps. Raises MarketNotFound."""
    market = markets.get_market(market_id)
    points = forecasts.forecast_series(market_id, since=now - LOOK_BACK, limit=POINTS_MAX)
    prices = price_steps(market, now=now)
    is_linear = market.pays == "linear"
    rows = [focus_point(point, is_linear=is_linear) for point in points]
    moments = sorted({at for at, _ in prices} | {row.at for row in rows})
    said = {name: carried(moments, [(row.at, getattr(row, name)) for row in rows]) for name in ("model", "final", "low", "high")}
    return {
        "kind": "price" if is_linear else "probability",
        "digits": 2,
        "times": [moment.timestamp() for moment in moments],
        "price": carried(moments, prices),
        **said,
    }


def price_steps(market: MarketView, *, now: datetime) -> list[tuple[datetime, Decimal | None]]:
    """Return the mids of the first outcome's book, or the closes of the instrument's bars for a linear market."""
    if market.instrument_id and market.pays == "linear":
        bars = markets.bars(market.instrument_id, limit=POINTS_MAX // 4)
        return [(bar.closes_at, bar.close) for bar in bars]
    quotes = markets.price_series(market.outcomes[0].id, since=now - LOOK_BACK, points=POINTS_MAX)
    return [
        (quote.received_at, None if quote.bid is None or quote.ask is None else (quote.bid + quote.ask) / 2) for quote in quotes
    ]


def carried(moments: Sequence[datetime], steps: Sequence[tuple[datetime, Decimal | None]]) -> list[float | None]:
    """Return for each moment the value of the last step at or before it; null before the first."""
    known_at = [at for at, _ in steps]
    values: list[float | None] = []
    for moment in moments:
        place = bisect_right(known_at, moment)
        value = steps[place - 1][1] if place else None
        values.append(None if value is None else float(value))
    return values
