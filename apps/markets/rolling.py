"""The markets that the desk rolls from an instrument's bars; pure.

From the newest final bar and for each horizon of n bars: one linear market that pays the close n bars ahead, and
threshold markets around the last close ("above K at the close of D").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from apps.markets.spacing import SPACINGS, median_spacing
from apps.markets.types import Bar

HORIZONS_BARS = (1, 5, 20)
STRIKES_SIGMA = (-1, 0, 1)
BARS_NEEDED = SPACINGS + 1
DECAY = 0.94  # of the exponentially weighted variance; RiskMetrics, Technical Document (1996), daily data
STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
STEPS_PER_SIGMA = 10
SATURDAY = 5
DAILY_MIN, DAILY_MAX = timedelta(hours=20), timedelta(hours=28)


@dataclass(frozen=True, slots=True)
class RolledSet:
    """The markets of one instrument, base bar and horizon: all close at `closes_at`."""

    base_at: datetime
    closes_at: datetime
    horizon_bars: int
    thresholds: tuple[tuple[int, Decimal], ...]  # (sigmas from the last close, threshold), lowest first


def sets_to_roll(bars: Sequence[Bar], *, now: datetime, open_until: dict[int, datetime]) -> tuple[RolledSet, ...]:
    """Return the sets to make from the final bars (oldest first), one for each horizon at most.

    `open_until` holds the latest close of the sets made so far, by horizon: a horizon's next set begins when the last
    bar has reached it, so that sets of a horizon never overlap and each is evidence of its own. Nothing is rolled from
    fewer than BARS_NEEDED bars, nor from bars so old that the set would be born closed.
    """
    finals = [bar for bar in bars if bar.is_final]
    if len(finals) < BARS_NEEDED:
        return ()
    last = finals[-1]
    free = [n for n in HORIZONS_BARS if n not in open_until or open_until[n] <= last.closes_at]
    rolled = (_rolled(finals, horizon_bars) for horizon_bars in free)
    return tuple(rolled_set for rolled_set in rolled if rolled_set.closes_at > now)


def _rolled(finals: Sequence[Bar], horizon_bars: int) -> RolledSet:
    last = finals[-1]
    sigma = sigma_of([bar.close for bar in finals]) * math.sqrt(horizon_bars)
    closes_at = close_after([bar.closes_at for bar in finals], horizon_bars)
    return RolledSet(last.closes_at, closes_at, horizon_bars, thresholds_around(last.close, sigma))


def close_after(moments: Sequence[datetime], horizon_bars: int) -> datetime:
    """Return when the bar `horizon_bars` ahead is due: the last one plus so many median spacings.

    Daily bars that never fell on a weekend are counted in weekdays. A holiday moves no close: such a market is valued
    by the first bar at or after its close.
    """
    spacing = median_spacing(moments)
    is_daily = DAILY_MIN <= spacing <= DAILY_MAX
    if is_daily and all(moment.weekday() < SATURDAY for moment in moments[-BARS_NEEDED:]):
        return _weekdays_after(moments[-1], horizon_bars)
    return moments[-1] + horizon_bars * spacing


def _weekdays_after(moment: datetime, weekdays: int) -> datetime:
    while weekdays:
        moment += timedelta(days=1)
        weekdays -= moment.weekday() < SATURDAY
    return moment


def sigma_of(closes: Sequence[Decimal]) -> float:
    """Return the exponentially weighted standard deviation of one bar's change, in units of the price.

    Changes are differences, not logarithms, because a future may trade below zero.
    """
    changes = [float(later - earlier) for earlier, later in pairwise(closes)]
    variance = changes[0] ** 2
    for change in changes[1:]:
        variance = DECAY * variance + (1 - DECAY) * change**2
    return math.sqrt(variance)


def thresholds_around(last: Decimal, sigma: float) -> tuple[tuple[int, Decimal], ...]:
    """Return (sigmas, threshold) pairs at the last close and one sigma to either side, on a grid of nice steps.

    Without movement only the last close remains.
    """
    if sigma <= 0:
        return ((0, last),)
    step = nice_step(sigma / STEPS_PER_SIGMA)
    raw = ((sigmas, last + sigmas * Decimal(sigma)) for sigmas in STRIKES_SIGMA)
    return tuple((sigmas, _on_grid(price, step)) for sigmas, price in raw)


def nice_step(at_least: float) -> Decimal:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below `at_least` (> 0)."""
    size = Decimal(at_least)
    power = Decimal(1).scaleb(size.adjusted())
    return next(step * power for step in STEPS if step * power >= size)


def _on_grid(price: Decimal, step: Decimal) -> Decimal:
    return (price / step).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * step
