"""From what is known about a market to the opinion that will be stored: pure.

Three kinds of question have a forecaster each: markets with a book, threshold markets on an instrument, and linear
markets on one. Where none can say anything, the base rate of the group speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from apps.forecasts.forecasters import book, horizon, thresholds
from apps.forecasts.pooling import pool

if TYPE_CHECKING:
    from apps.markets.types import MarketView

BASE_RATE_MODEL = "base-rate-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The published weights of a group."""

    id: str | None = None
    w: float = 0.0
    b: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every opinion of a batch shares: the moment, the age at which a price is stale, and its own chance source."""

    now: datetime
    age_max_s: float
    rng: np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class BookQuestion:
    """A market with a book: ladders of both outcomes, and the price that was last believed."""

    market: MarketView
    key: str
    price: float | None
    first: book.Ladder | None
    second: book.Ladder | None
    remembered: float | None
    quotes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsQuestion:
    """A market rolled on an instrument: the fit for its remaining bars (None with too little history)."""

    market: MarketView
    key: str
    price: float
    fitted: thresholds.Fit | None
    bars_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One opinion, ready to be stored."""

    market: MarketView
    key: str
    price: float | None
    model: str
    p_model: float | None = None
    p_price: float | None = None
    p_base: float | None = None
    p_final: float | None = None
    p_low: float | None = None
    p_high: float | None = None
    bid: float | None = None
    ask: float | None = None
    price_age_s: float | None = None
    is_price_stale: bool = False
    value: float | None = None
    value_low: float | None = None
    value_high: float | None = None
    value_price: float | None = None
    weights_id: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)


def of_book(question: BookQuestion, weights: Weights, base: float, context: Context) -> Opinion:
    """Return the opinion on a market with a book: price, model, and both pooled. `base` is the base rate of its group."""
    first, second, age_max_s = question.first, question.second, context.age_max_s
    price = book.consensus(first, second, age_max_s=age_max_s, remembered=question.remembered)
    life_left = life_left_of(question.market, context.now)
    p_model = book.opinion(first, second, life_left=life_left, age_max_s=age_max_s)
    p_final = pool(price.price if price else None, p_model, w=weights.w, b=weights.b)
    shared = {"life_left": round(life_left, 6), "w": weights.w, "b": weights.b, **question.quotes}
    if price is None or p_final is None:
        return _of_base_rate(question.market, question.key, base, shared)
    return Opinion(
        market=question.market,
        key=question.key,
        price=question.price,
        model=book.MODEL,
        p_model=p_model,
        p_price=price.price,
        p_base=base,
        p_final=p_final,
        p_low=_least(price.bid, price.ask, p_final),
        p_high=_most(price.bid, price.ask, p_final),
        bid=price.bid,
        ask=price.ask,
        price_age_s=price.age_s,
        is_price_stale=price.is_stale,
        weights_id=weights.id,
        evidence=shared,
    )


def of_bars(question: BarsQuestion, base: float, context: Context) -> Opinion:
    """Return the opinion on a rolled market: P(close > threshold), or the price itself for a linear one."""
    if question.market.pays == "linear":
        return _of_horizon(question)
    threshold = float(question.market.threshold or 0)
    if question.fitted is None or threshold <= 0:
        return _of_base_rate(question.market, question.key, base, {"bars_left": question.bars_left})
    said = thresholds.price(question.fitted, threshold, rng=context.rng)
    return Opinion(
        market=question.market,
        key=question.key,
        price=question.price,
        model=thresholds.MODEL,
        p_model=said.p_model,
        p_base=said.p_base,
        p_final=said.p_model,
        p_low=said.p_low,
        p_high=said.p_high,
        evidence=_fit_evidence(question),
    )


def _of_horizon(question: BarsQuestion) -> Opinion:
    said = horizon.price_range(question.fitted) if question.fitted else None
    return Opinion(
        market=question.market,
        key=question.key,
        price=question.price,
        model=horizon.MODEL,
        value=question.price,
        value_low=said.low if said else None,
        value_high=said.high if said else None,
        value_price=question.price,
        evidence=_fit_evidence(question),
    )


def _of_base_rate(market: MarketView, key: str, base: float, evidence: Mapping[str, object]) -> Opinion:
    return Opinion(
        market=market,
        key=key,
        price=None,
        model=BASE_RATE_MODEL,
        p_base=base,
        p_final=base,
        p_low=base,
        p_high=base,
        evidence=evidence,
    )


def _fit_evidence(question: BarsQuestion) -> dict[str, object]:
    if question.fitted is None:
        return {"bars_left": question.bars_left}
    scales = {"ewma_scale": round(question.fitted.ewma.scale, 10), "har_scale": round(question.fitted.har.scale, 10)}
    return {"bars_left": question.bars_left, "bars": question.fitted.bars, **scales}


def life_left_of(market: MarketView, now: datetime) -> float:
    """Return the share of the market's life still to come, in [0, 1]; 1 when nobody said when it opened."""
    if market.opens_at is None or market.closes_at <= market.opens_at:
        return 1.0
    share = (market.closes_at - now) / (market.closes_at - market.opens_at)
    return min(max(share, 0.0), 1.0)


def _least(*values: float | None) -> float:
    return min(value for value in values if value is not None)


def _most(*values: float | None) -> float:
    return max(value for value in values if value is not None)
