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
    (then the ratio is theirs divided by ours); with neither, the ratio is a speed-up that nothing was promised about.
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
            target=self._target(),
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

    def _target(self) -> str:
        if self.at_most is not None:
            return f"at most {self.at_most}"
        return "none" if self.at_least is None else f"at least {self.at_least}"

    def _holds(self, ratio: float) -> bool:
        return ratio <= self.at_most if self.at_most is not None else ratio >= (self.at_least or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTimed(Contest):
    """A contest whose sides return the seconds that they took: what they set up before is not counted."""

    def _timed(self, run: Callable[[], object]) -> float:
        gc.collect()
        taken_s = run()
        assert isinstance(taken_s, float)
        return taken_s / self.units * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A figure of ours by itself: the median of `rounds` runs of `run`, which the other side has no counterpart of."""

    name: str
    unit: str
    run: Callable[[], float]
    at_most: float | None = None
    at_least: float | None = None
    rounds: int = ROUNDS

    def measure(self) -> Figure:
        """Run it, the first round to warm up, and compare the median with the bound."""
        self.run()
        found = [self.run() for _ in range(self.rounds)]
        figure = statistics.median(found)
        holds = figure <= self.at_most if self.at_most is not None else figure >= (self.at_least or 0.0)
        target = f"at least {self.at_least}" if self.at_most is None else f"at most {self.at_most}"
        spread = (round(min(found), 3), round(max(found), 3))
        return Figure(
            name=self.name, unit=self.unit, figure=round(figure, 3), least=spread[0], most=spread[1], target=target, holds=holds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was found about one figure."""

    name: str
    unit: str
    figure: float
    least: float
    most: float
    target: str
    holds: bool

    def row(self) -> dict[str, object]:
        """Return the figures as JSON can hold them."""
        return asdict(self)
