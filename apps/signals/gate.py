"""The gate: a model's signals stay silent until its skill against the price is proved. Pure.

Needed are resolved events and days enough, and positive lower 95 % bounds on two figures: the log loss gained over the
price, and the closing line value (what the market thought at the close, less the ask when the signal was made). Both
p-values must stand after Holm's step-down correction over everything that is tested at once (S. Holm, "A simple
sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

EVENTS_MIN = 100
DAYS_MIN = 30
ALPHA = 0.025  # one-sided: the lower bound of a 95 % interval


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over events with its lower bound and one-sided p-value; None without events."""

    mean: float | None
    low: float | None
    p_value: float | None

    def text(self) -> str:
        """Write the figure with its bound."""
        if self.mean is None or self.low is None:
            return "not measured yet"
        return f"{self.mean:+.4f} (lower bound {self.low:+.4f})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gate looks at for one group of questions."""

    events: int
    days: int
    gain: Figure
    clv: Figure


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a group's model may speak, with the numbers and a sentence that says them."""

    is_proven: bool
    reason: str
    evidence: Evidence
    gain_p_holm: float | None
    clv_p_holm: float | None


NO_EVIDENCE = Evidence(0, 0, Figure(None, None, None), Figure(None, None, None))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for being tested together, in the same order; each at most 1."""
    adjusted = [0.0] * len(p_values)
    so_far = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        so_far = max(so_far, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = so_far
    return adjusted


def judge_together(evidence: Sequence[Evidence]) -> list[Verdict]:
    """Return a verdict for each group; the more groups are tested, the stronger each must be."""
    figures = [figure for entry in evidence for figure in (entry.gain, entry.clv)]
    measured = [index for index, figure in enumerate(figures) if figure.p_value is not None]
    adjusted: list[float | None] = [None] * len(figures)
    for index, p_value in zip(measured, holm([figures[index].p_value or 0.0 for index in measured]), strict=True):
        adjusted[index] = p_value
    return [judge(entry, adjusted[2 * at], adjusted[2 * at + 1]) for at, entry in enumerate(evidence)]


def judge(evidence: Evidence, gain_p: float | None, clv_p: float | None) -> Verdict:
    """Return the verdict on one group from its evidence and its corrected p-values."""
    is_proven = (
        evidence.events >= EVENTS_MIN
        and evidence.days >= DAYS_MIN
        and _is_positive(evidence.gain, gain_p)
        and _is_positive(evidence.clv, clv_p)
    )
    return Verdict(is_proven, sentence(evidence, is_proven=is_proven), evidence, gain_p, clv_p)


def _is_positive(figure: Figure, p_value: float | None) -> bool:
    return figure.low is not None and figure.low > 0 and p_value is not None and p_value <= ALPHA


def sentence(evidence: Evidence, *, is_proven: bool) -> str:
    """Say the verdict with its numbers in one line."""
    return (
        f"{'proven' if is_proven else 'unproven'}: {evidence.events} of {EVENTS_MIN} resolved events, "
        f"{evidence.days} of {DAYS_MIN} days, log-loss gain over the price {evidence.gain.text()}, "
        f"closing line value {evidence.clv.text()}: {'signal' if is_proven else 'no signal'}"
    )
