"""Price thresholds: the probability that an instrument closes above K some bars ahead.

Two volatility models, each with the empirical distribution of its own standardised returns; the opinion is the mean of
their logits.

* EWMA: σ²[t] = λ σ²[t-1] + (1-λ) r²[t], λ = 0.94 (RiskMetrics Technical Document, J.P. Morgan, 1996).
* HAR: volatility of the next bars regressed on its last value and its means over a week and a month
  (F. Corsi, "A simple approximate long-memory model of realized volatility", J. Financial Econometrics 7, 2009). The
  volatility of one bar is Parkinson's range where bars have a high and a low (M. Parkinson, "The extreme value method for
  estimating the variance of the rate of return", J. Business 53, 1980), else the absolute return.

Standardised returns are r[t, t+n] / (σ[t] √n), with what was known at t. Their drift is left in, as it is in the
climatology that is our opponent: so the difference between the two measures volatility alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, islice

import numpy as np
from numpy.typing import NDArray

MODEL = "ewma-har-1"
RISKMETRICS_DECAY = 0.94
WEEK_BARS, MONTH_BARS = 5, 22  # Corsi's horizons
BARS_MIN = 120  # below this a regression and an empirical tail say nothing
WARM_UP_BARS = MONTH_BARS
BOOTSTRAP_DRAWS = 200
INTERVAL_LEVEL = 0.90
VARIANCE_FLOOR = 1e-12  # a series that stands still still has a scale to divide by
PARKINSON = 4 * np.log(2)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """Final bars of one instrument, oldest first."""

    closes: Floats
    highs: Floats
    lows: Floats

    @property
    def last(self) -> float:
        """The newest close."""
        return float(self.closes[-1])


@dataclass(frozen=True, slots=True)
class Residuals:
    """One model's view of the next n bars: the scale now, and standardised returns of the past, sorted and as they came."""

    scale: float
    in_order: Floats
    ascending: Floats

    def chance_above(self, log_move: float) -> float:
        """Return P(log return > `log_move`), with one half pseudo-count on either side so that it is never 0 or 1."""
        count = self.ascending.size
        above = count - int(np.searchsorted(self.ascending, log_move / self.scale, side="right"))
        return (above + 0.5) / (count + 1)

    def quantile(self, level: float) -> float:
        """Return the log return at `level` of the distribution."""
        return float(np.quantile(self.ascending, level)) * self.scale


@dataclass(frozen=True, slots=True)
class Fit:
    """Everything needed to price one instrument n bars ahead. `past` are raw n-bar log returns: the climatology."""

    last: float
    bars: int
    ahead: int
    ewma: Residuals
    har: Residuals
    past: Residuals

    @property
    def models(self) -> tuple[Residuals, Residuals]:
        """The two volatility models."""
        return self.ewma, self.har


@dataclass(frozen=True, slots=True)
class Opinion:
    """P(close > K) by the model, its sampling interval, and by climatology."""

    p_model: float
    p_low: float
    p_high: float
    p_base: float


def fit(series: Series, *, ahead: int) -> Fit | None:
    """Fit both volatility models to `series` for `ahead` bars; None below BARS_MIN bars.

    None too when a price is not positive (oil was sold below zero in April 2020): it has no logarithm.
    """
    if series.closes.size < BARS_MIN + ahead or min(series.closes.min(), series.lows.min(), series.highs.min()) <= 0:
        return None
    returns = np.diff(np.log(series.closes))
    moves = np.log(series.closes[ahead:] / series.closes[:-ahead])
    return Fit(
        last=series.last,
        bars=series.closes.size,
        ahead=ahead,
        ewma=_residuals(ewma_volatility(returns), moves, ahead),
        har=_residuals(har_volatility(bar_volatility(series, returns), ahead), moves, ahead),
        past=_as_residuals(1.0, moves),
    )


def ewma_volatility(returns: Floats) -> Floats:
    """Return σ after each return, same length as `returns`; started at the mean of the first month."""
    start = float(np.mean(returns[:MONTH_BARS] ** 2))
    steps = accumulate((returns**2).tolist(), _decayed, initial=start)
    variances = np.fromiter(islice(steps, 1, None), dtype=np.float64, count=returns.size)
    return np.asarray(np.sqrt(np.maximum(variances, VARIANCE_FLOOR)), dtype=np.float64)


def _decayed(variance: float, squared: float) -> float:
    return RISKMETRICS_DECAY * variance + (1 - RISKMETRICS_DECAY) * squared


def bar_volatility(series: Series, returns: Floats) -> Floats:
    """Return the volatility of each bar after the first: Parkinson's range, or |return| where bars have no range."""
    ranges = np.log(series.highs[1:] / series.lows[1:])
    if np.count_nonzero(ranges > 0) < 0.9 * ranges.size:  # a series of closes only: high equals low
        return np.abs(returns)
    return np.asarray(np.sqrt(ranges**2 / PARKINSON), dtype=np.float64)


def har_volatility(volatility: Floats, ahead: int) -> Floats:
    """Return the volatility expected over the next `ahead` bars after each bar, by Corsi's regression (direct, in sample)."""
    week, month = _trailing_mean(volatility, WEEK_BARS), _trailing_mean(volatility, MONTH_BARS)
    design = np.column_stack([np.ones_like(volatility), volatility, week, month])
    target = _trailing_mean(volatility, ahead)[ahead:]
    known = slice(WARM_UP_BARS, volatility.size - ahead)
    weights, *_ = np.linalg.lstsq(design[known], target[known], rcond=None)
    floor = max(float(np.quantile(volatility, 0.05)), float(np.sqrt(VARIANCE_FLOOR)))
    return np.asarray(np.maximum(design @ weights, floor), dtype=np.float64)


def _trailing_mean(values: Floats, width: int) -> Floats:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, values.size + 1)
    starts = np.maximum(ends - width, 0)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts), dtype=np.float64)


def _residuals(volatility: Floats, moves: Floats, ahead: int) -> Residuals:
    """Divide every past move by the volatility known when it began; `volatility[i]` is known at close i + 1."""
    scales = volatility * np.sqrt(ahead)
    known = scales[: moves.size - 1][WARM_UP_BARS:]
    return _as_residuals(float(scales[-1]), moves[1:][WARM_UP_BARS:] / known)


def _as_residuals(scale: float, in_order: Floats) -> Residuals:
    return Residuals(scale, in_order, np.sort(in_order))


def mean_logit(chances: Floats) -> float:
    """Return the probability whose logit is the mean of the logits of `chances`."""
    logit = float(np.mean(np.log(chances) - np.log1p(-chances)))
    return float(1 / (1 + np.exp(-logit)))


def price(fitted: Fit, threshold: float, *, rng: np.random.Generator) -> Opinion:
    """Return the chance that the close `fitted.ahead` bars from now is above `threshold`, with a 90 % interval.

    The interval is a moving-block bootstrap over the residuals (blocks as long as the horizon, because overlapping
    returns repeat each other); it always holds the point.
    """
    move = float(np.log(threshold / fitted.last))
    point = mean_logit(np.array([model.chance_above(move) for model in fitted.models]))
    low, high = _interval(fitted, move, rng)
    return Opinion(point, min(low, point), max(high, point), fitted.past.chance_above(move))


def _interval(fitted: Fit, move: float, rng: np.random.Generator) -> tuple[float, float]:
    chances = [_resampled(model.in_order > move / model.scale, fitted.ahead, rng) for model in fitted.models]
    logits = np.mean([np.log(drawn) - np.log1p(-drawn) for drawn in chances], axis=0)
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(1 / (1 + np.exp(-logits)), [tail, 1 - tail])
    return float(low), float(high)


def _resampled(above: NDArray[np.bool_], block: int, rng: np.random.Generator) -> Floats:
    sums = np.concatenate([[0], np.cumsum(above)])
    blocks = sums[block:] - sums[:-block]
    per_draw = max(above.size // block, 1)
    counts = blocks[rng.integers(0, blocks.size, size=(BOOTSTRAP_DRAWS, per_draw))].sum(axis=1)
    return np.asarray((counts + 0.5) / (per_draw * block + 1), dtype=np.float64)
