"""What crosses the threshold of this room: forecasts, evidence about them, and their scores.

Probabilities and prices of one forecast are `Decimal` as stored; figures over many forecasts are floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypedDict


@dataclass(frozen=True, slots=True)
class ForecastView:
    """One opinion at one moment about the first outcome (binary) or the price (linear) of a market."""

    id: str
    market_id: str
    outcome_id: str
    as_of: datetime
    source: str
    category: str
    horizon: str
    model: str
    p_model: Decimal | None
    p_price: Decimal | None
    p_base: Decimal | None
    p_final: Decimal | None
    p_low: Decimal | None
    p_high: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    price_age_s: float | None
    is_price_stale: bool
    value: Decimal | None
    value_low: Decimal | None
    value_high: Decimal | None
    value_price: Decimal | None
    scheduled_close_at: datetime
    inputs_digest: str
    commitment: str
    weights_id: str | None


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """One point of the chart of a market's forecasts."""

    as_of: datetime
    p_model: Decimal | None
    p_price: Decimal | None
    p_final: Decimal | None
    p_low: Decimal | None
    p_high: Decimal | None
    value: Decimal | None
    value_low: Decimal | None
    value_high: Decimal | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What resolved questions of a group say about the model against the price.

    `gain` is the mean log loss of the price minus that of the model, in nats, every event counting once; `gain_low` its
    lower 95 % bootstrap bound and `p_value` the share of resamples without a gain; None without resolved events.
    """

    source: str
    category: str
    events: int
    days: int
    gain: float | None
    gain_low: float | None
    p_value: float | None


class GroupScore(TypedDict):
    """Mean scores of a group; None where no forecast of it had that source.

    `n` forecasts are compared, of `markets` markets; `n_without_price` more had no price to be compared with. The model
    spoke in `n_model` of the compared cases; `log_loss_price_beside_model` is the price's loss in the very same ones.
    """

    n: int
    n_without_price: int
    n_model: int
    markets: int
    brier: float | None
    brier_price: float | None
    log_loss: float | None
    log_loss_price: float | None
    log_loss_model: float | None
    log_loss_price_beside_model: float | None
    log_loss_base: float | None
    error: float | None


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Forecasts whose p_final lay in [low, high): how many, what they said, and what happened."""

    low: float
    high: float
    n: int
    mean_forecast: float
    mean_payout: float


@dataclass(frozen=True, slots=True)
class ClosingPrice:
    """The last price of a market's first outcome that a forecast saw before the scheduled close."""

    market_id: str
    price: Decimal
    as_of: datetime
