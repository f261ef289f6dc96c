"""Figures that can be added up across processes: durations in buckets whose widths grow with them, and counts.

The buckets are those of DDSketch (Masson, Rim, Lee: "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with
Relative-Error Guarantees", PVLDB 12(12), 2019): every percentile is within one hundredth of a true value of the data,
and adding two sketches gives exactly the sketch of all their data. Everything is a whole number, nanoseconds for times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, log
from typing import Protocol, TypeVar

K = TypeVar("K", int, str)
RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
BUCKETS_PER_E = 1 / log(GAMMA)
NANOSECONDS = 1_000_000_000
LONGEST_NS = 10**15  # eleven days; with GAMMA it bounds the buckets of one operation to 1,728
NAMES_MAX = 200  # names may come from outside (paths, vendors): beyond this they are counted together
NAME_LENGTH = 80
ERROR_KINDS_MAX = 30
OTHER = "(other)"


@dataclass(slots=True)
class Durations:
    """The durations of one operation, and its errors by kind."""

    count: int = 0
    total_ns: int = 0
    low_ns: int = LONGEST_NS
    high_ns: int = 0
    buckets: dict[int, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    def add(self, duration_s: float, error: str = "") -> None:
        """Take one duration; what is below a nanosecond counts as one."""
        ns = min(max(int(duration_s * NANOSECONDS), 1), LONGEST_NS)
        bucket = ceil(log(ns) * BUCKETS_PER_E)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.total_ns += ns
        self.low_ns = min(ns, self.low_ns)
        self.high_ns = max(ns, self.high_ns)
        if error:
            self._count_error(error)

    def _count_error(self, error: str) -> None:
        kind = error[:NAME_LENGTH].replace(":", ".")  # the colon parts the fields of the shared store
        if kind not in self.errors and len(self.errors) >= ERROR_KINDS_MAX:
            kind = OTHER
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def merge(self, other: Durations) -> None:
        """Take all of another's durations."""
        self.count += other.count
        self.total_ns += other.total_ns
        self.low_ns = min(self.low_ns, other.low_ns)
        self.high_ns = max(self.high_ns, other.high_ns)
        add_counts(self.buckets, other.buckets)
        add_counts(self.errors, other.errors)

    def percentile_s(self, share: float) -> float:
        """Return, within the relative error, the least duration that at least `share` of all do not exceed; 0 of none."""
        rank = max(1, ceil(share * self.count))
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                middle_ns = 2 * GAMMA**bucket / (GAMMA + 1)
                return min(max(middle_ns, self.low_ns), self.high_ns) / NANOSECONDS
        return 0.0


@dataclass(slots=True)
class Figures:
    """The durations of operations and the counters, by name."""

    operations: dict[str, Durations] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def merge(self, other: Figures) -> None:
        """Take all of another's figures."""
        for name, durations in other.operations.items():
            self.operations.setdefault(name, Durations()).merge(durations)
        add_counts(self.counters, other.counters)

    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not (self.operations or self.counters)


def add_counts(totals: dict[K, int], more: Mapping[K, int]) -> None:
    """Add counts to totals."""
    for name, count in more.items():
        totals[name] = totals.get(name, 0) + count


class NameBook:
    """Admits a bounded number of names; the rest share one."""

    def __init__(self, names_max: int = NAMES_MAX) -> None:
        self._names_max = names_max
        self._known: set[str] = set()

    def admit(self, name: str) -> str:
        """Return the name to count under."""
        name = name[:NAME_LENGTH]
        if name in self._known:
            return name
        if len(self._known) >= self._names_max:
            return OTHER
        self._known.add(name)
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """When a process began to count, and when it was last heard of, in seconds since 1970."""

    started_s: float
    seen_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What one process has counted since its last parcel. Sent again with the same number, it counts once."""

    day: str
    process: str
    number: int
    life: Life
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """What all processes counted on a day, and those heard of lately."""

    figures: Figures
    lives: Mapping[str, Life]


class FigureStore(Protocol):
    """Where the figures of all processes come together. Every verb may raise `errors.StoreUnavailable`."""

    def add(self, parcel: Parcel) -> None:
        """Add a parcel, unless it is there already."""
        ...

    def read(self, day: str) -> DayFigures:
        """Return all of a day."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
