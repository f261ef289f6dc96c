"""Linear markets: the price of an instrument some bars ahead.

The expected price is the last close (no drift: over a few bars it is smaller than its own error); the interval comes from
the empirical quantiles of both volatility models.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from apps.forecasts.forecasters.thresholds import INTERVAL_LEVEL, Fit

MODEL = "last-close-ewma-har-1"


@dataclass(frozen=True, slots=True)
class PriceRange:
    """An expected price with a 90 % interval."""

    value: float
    low: float
    high: float


def price_range(fitted: Fit) -> PriceRange:
    """Return the price expected `fitted.ahead` bars from now; the interval always holds it."""
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = (fitted.last * exp(_mean_quantile(fitted, level)) for level in (tail, 1 - tail))
    return PriceRange(fitted.last, min(low, fitted.last), max(high, fitted.last))


def _mean_quantile(fitted: Fit, level: float) -> float:
    return sum(model.quantile(level) for model in fitted.models) / len(fitted.models)
