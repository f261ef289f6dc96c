"""The figures of several monitors in one process: for tests, and for a desk of a single process."""

from __future__ import annotations

import threading

from apps.resilience.figures import NAMES_MAX, OTHER, DayFigures, Figures, Life, Parcel


class MemoryFigures:
    """Keeps the figures of days in dictionaries under one lock."""

    def __init__(self, *, names_max: int = NAMES_MAX) -> None:
        self._names_max = names_max
        self._lock = threading.Lock()
        self._days: dict[str, Figures] = {}
        self._numbers: dict[str, int] = {}
        self._lives: dict[str, Life] = {}

    def add(self, parcel: Parcel) -> None:
        """Add a parcel, unless it is there already."""
        with self._lock:
            if self._numbers.get(parcel.process, 0) >= parcel.number:
                return
            self._numbers[parcel.process] = parcel.number
            self._lives[parcel.process] = parcel.life
            day = self._days.setdefault(parcel.day, Figures())
            day.merge(self._bounded(parcel.figures, day))

    def read(self, day: str) -> DayFigures:
        """Return all of a day."""
        with self._lock:
            copy = Figures()
            copy.merge(self._days.get(day, Figures()))
            return DayFigures(figures=copy, lives=dict(self._lives))

    def close(self) -> None:
        """Keep what is there; there is nothing to let go of."""

    def _bounded(self, more: Figures, day: Figures) -> Figures:
        """Return the figures with names that are new beyond the limit counted together."""
        bounded = Figures()
        known, counters = set(day.operations), set(day.counters)
        for name, durations in more.operations.items():
            bounded.merge(Figures(operations={self._admit(name, known): durations}))
        for name, count in more.counters.items():
            bounded.merge(Figures(counters={self._admit(name, counters): count}))
        return bounded

    def _admit(self, name: str, known: set[str]) -> str:
        if name not in known and len(known) >= self._names_max:
            return OTHER
        known.add(name)
        return name
