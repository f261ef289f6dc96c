"""Making the forecasts that are due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from django.conf import settings

from apps.core.db import durable, only_one
from apps.forecasts import selectors
from apps.forecasts.errors import MarketNotOpen
from apps.forecasts.forecasters.base_rate import base_rate
from apps.forecasts.gathering import Questions, gather, price_age_max_s
from apps.forecasts.horizons import horizon_of
from apps.forecasts.opinions import Context, Opinion, Weights, of_bars, of_book
from apps.forecasts.services.storing import store_opinions
from apps.forecasts.services.weights import Group, publish_first_weights
from apps.forecasts.types import ForecastView
from apps.markets import selectors as markets
from apps.markets.types import MarketView


@durable
def forecast_due(*, now: datetime, by: str, rng_seed: int = 0) -> int:
    """Forecast every open market that is due and return how many were; 0 at once when another process is at it.

    `rng_seed` feeds the bootstrap of intervals and is stored with each forecast, so that anyone can repeat it.
    """
    with only_one("forecasts.due") as is_ours:
        if not is_ours:
            return 0
        open_markets = [market for market in markets.unresolved_markets(now=now) if _is_open(market, now)]
        return _forecast(open_markets, now=now, by=by, seed=rng_seed, force=False)


@durable
def forecast_market(*, market_id: str, force: bool, now: datetime, by: str) -> ForecastView | None:
    """Forecast one market if it is due, or in any case with `force`; return the new forecast, or None when not due.

    Raises MarketNotFound, and MarketNotOpen when it has closed.
    """
    market = markets.get_market(market_id)
    if not _is_open(market, now):
        raise MarketNotOpen(f"{market_id} is {market.state} and closes at {market.closes_at:%Y-%m-%d %H:%M:%S} UTC")
    made = _forecast([market], now=now, by=by, seed=0, force=force)
    return selectors.latest_forecast(market_id) if made else None


def _is_open(market: MarketView, now: datetime) -> bool:
    return market.state == "open" and market.closes_at > now and bool(market.outcomes)


def _forecast(open_markets: Sequence[MarketView], *, now: datetime, by: str, seed: int, force: bool) -> int:
    questions = gather(open_markets, now=now, force=force)
    if not questions.markets:
        return 0
    weights = publish_first_weights(groups={_group(entry.market, now) for entry in questions.booked}, by=by, now=now)
    context = Context(now=now, age_max_s=price_age_max_s(), rng=np.random.default_rng(seed))
    return store_opinions(opinions=_opinions(questions, weights, context), seed=seed, by=by, now=now)


def _opinions(questions: Questions, weights: dict[Group, Weights], context: Context) -> list[Opinion]:
    rates = selectors.first_outcome_rates({market.source for market in questions.markets})
    bases = {key: base_rate(paid, resolved) for key, (paid, resolved) in rates.items()}
    unknown = base_rate(0, 0)
    booked = [
        of_book(entry, weights[_group(entry.market, context.now)], bases.get(_kind(entry.market), unknown), context)
        for entry in questions.booked
    ]
    return booked + [of_bars(entry, bases.get(_kind(entry.market), unknown), context) for entry in questions.rolled]


def _group(market: MarketView, now: datetime) -> Group:
    return market.source, market.category, horizon_of(market.closes_at - now, speed=settings.SCHEDULE_SPEED)


def _kind(market: MarketView) -> tuple[str, str]:
    return market.source, market.category
