"""How good probabilities were. Outcomes are payouts in [0, 1]; a split market pays a fraction.

Brier (G. W. Brier, 1950), its parts (A. H. Murphy, "A new vector partition of the probability score", 1973), logarithmic
score (I. J. Good, 1952), ranked probability score (E. S. Epstein, 1969), expected calibration error with equal bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOG_CLIP = 1e-6  # a probability of 0 that comes true costs 13.8, not infinity
BINS = 10
DRAWS = 2_000
LEVEL = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Murphy:
    """Brier = reliability - resolution + uncertainty + within, exactly; `within` is what grouping into bins leaves over."""

    reliability: float
    resolution: float
    uncertainty: float
    within: float

    @property
    def brier(self) -> float:
        """The score that the parts add up to."""
        return self.reliability - self.resolution + self.uncertainty + self.within


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its bootstrap interval, and the share of resamples whose mean was not above 0 (a one-sided p-value)."""

    mean: float
    low: float
    high: float
    p_value: float
    clusters: int


def brier(chance: float, payout: float) -> float:
    """Return the squared error."""
    return (chance - payout) ** 2


def log_loss(chance: float, payout: float, *, clip: float = LOG_CLIP) -> float:
    """Return -(y ln p + (1 - y) ln(1 - p)) in nats, with p clipped."""
    clipped = min(max(chance, clip), 1 - clip)
    return float(-(payout * np.log(clipped) + (1 - payout) * np.log1p(-clipped)))


def ranked_probability(chances: Sequence[float], payouts: Sequence[float]) -> float:
    """Return the RPS of ordered outcomes, in [0, 1]. Raises ValueError on different lengths or fewer than two."""
    if len(chances) != len(payouts) or len(chances) < 2:
        raise ValueError("ranked scores need two or more outcomes, each with its payout")
    gaps = np.cumsum(chances) - np.cumsum(payouts)
    return float(np.sum(gaps[:-1] ** 2) / (len(chances) - 1))


def bin_of(chances: Floats, bins: int = BINS) -> NDArray[np.intp]:
    """Return the number of each probability's bin; 1 belongs to the last."""
    return np.minimum((chances * bins).astype(np.intp), bins - 1)


def expected_calibration_error(chances: Floats, payouts: Floats, *, bins: int = BINS) -> float:
    """Return the mean over cases of |mean forecast - mean payout| of their bin. Raises ValueError without cases."""
    _refuse_empty(chances)
    groups = bin_of(chances, bins)
    sums = np.bincount(groups, weights=chances - payouts, minlength=bins)
    return float(np.sum(np.abs(sums)) / chances.size)


def murphy(chances: Floats, payouts: Floats, *, bins: int = BINS) -> Murphy:
    """Split the Brier score by equal bins. Raises ValueError without cases."""
    _refuse_empty(chances)
    groups = bin_of(chances, bins)
    counts = np.bincount(groups, minlength=bins)
    filled = counts > 0
    counts, mean_payout = counts[filled], float(np.mean(payouts))
    chance_means = np.bincount(groups, weights=chances, minlength=bins)[filled] / counts
    payout_means = np.bincount(groups, weights=payouts, minlength=bins)[filled] / counts
    reliability = float(np.sum(counts * (chance_means - payout_means) ** 2) / chances.size)
    resolution = float(np.sum(counts * (payout_means - mean_payout) ** 2) / chances.size)
    uncertainty = float(np.mean((payouts - mean_payout) ** 2))
    total = float(np.mean((chances - payouts) ** 2))
    return Murphy(reliability, resolution, uncertainty, total - reliability + resolution - uncertainty)


def skill(score: float, reference: float) -> float | None:
    """Return 1 - score / reference: 0 is no better, 1 perfect, below 0 worse; None when the reference is perfect."""
    return None if reference == 0 else 1 - score / reference


def clustered_interval(
    values: Floats, clusters: Sequence[str], *, rng: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> Interval:
    """Return the mean over clusters of their mean value, with an interval by resampling whole clusters.

    Cases of one event move together; resampling them one by one would count the same luck many times (A. C. Davison,
    D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8). Raises ValueError without cases.
    """
    _refuse_empty(values)
    names, groups = np.unique(np.asarray(clusters), return_inverse=True)
    means = np.bincount(groups, weights=values) / np.bincount(groups)
    resampled = means[rng.integers(0, names.size, size=(draws, names.size))].mean(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    p_value = (1 + int(np.count_nonzero(resampled <= 0))) / (draws + 1)
    return Interval(float(means.mean()), float(low), float(high), p_value, names.size)


def _refuse_empty(values: Floats) -> None:
    if values.size == 0:
        raise ValueError("no cases")
