"""Measuring two things side by side, so that a busy machine disturbs both alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

ROUNDS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """What one comparison found: medians in microseconds for one unit of work, and ours divided by theirs."""

    name: str
    ours: str
    theirs: str
    ours_us: float
    theirs_us: float
    ratio: float
    ratio_min: float
    ratio_max: float
    target: str
    holds: bool
    rounds: int

    def row(self) -> dict[str, object]:
        """Return the figures as JSON can hold them."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Two ways of doing the same `units` of work; each call of `run_ours` or `run_theirs` does all of them once.

    `at_most` is the largest ratio of ours to theirs that holds the promise; `at_least` the smallest, for speed-ups
    (then the ratio is theirs divided by ours).
    """

    name: str
    ours: str
    theirs: str
    run_ours: Callable[[], object]
    run_theirs: Callable[[], object]
    units: int
    at_most: float | None = None
    at_least: float | None = None
    rounds: int = ROUNDS

    def measure(self) -> Ratio:
        """Run both in turns and compare the medians; the first round warms up and is not counted."""
        self.run_ours()
        self.run_theirs()
        pairs = [self._round(number) for number in range(self.rounds)]
        ours_us = statistics.median(ours for ours, _ in pairs)
        theirs_us = statistics.median(theirs for _, theirs in pairs)
        ratios = [self._ratio(ours, theirs) for ours, theirs in pairs]
        ratio = self._ratio(ours_us, theirs_us)
        return Ratio(
            name=self.name,
            ours=self.ours,
            theirs=self.theirs,
            ours_us=round(ours_us, 3),
            theirs_us=round(theirs_us, 3),
            ratio=round(ratio, 3),
            ratio_min=round(min(ratios), 3),
            ratio_max=round(max(ratios), 3),
            target=f"at least {self.at_least}" if self.at_most is None else f"at most {self.at_most}",
            holds=self._holds(ratio),
            rounds=self.rounds,
        )

    def _round(self, number: int) -> tuple[float, float]:
        """Return the microseconds a unit of both; who goes first changes from round to round."""
        if number % 2:
            theirs_us = self._timed(self.run_theirs)
            return self._timed(self.run_ours), theirs_us
        return self._timed(self.run_ours), self._timed(self.run_theirs)

    def _timed(self, run: Callable[[], object]) -> float:
        gc.collect()
        started = time.perf_counter()
        run()
        return (time.perf_counter() - started) / self.units * 1e6

    def _ratio(self, ours_us: float, theirs_us: float) -> float:
        return theirs_us / ours_us if self.at_most is None else ours_us / theirs_us

    def _holds(self, ratio: float) -> bool:
        return ratio <= self.at_most if self.at_most is not None else ratio >= (self.at_least or 0.0)
