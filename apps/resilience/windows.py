"""Counting what happened lately, in cells of time: pure, and small enough to be kept in a shared store."""

from __future__ import annotations

from dataclasses import dataclass, field

MICROSECONDS = 1_000_000
CELLS = 10


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls, and how many of them failed or were slow."""

    calls: int = 0
    failed: int = 0
    slow: int = 0

    def plus(self, other: Tally) -> Tally:
        """Return the sum of both."""
        return Tally(self.calls + other.calls, self.failed + other.failed, self.slow + other.slow)


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window of ten cells: (number of the cell since 1970, its tally), oldest first.

    It slides by a cell, so it looks back between nine and ten tenths of its length.
    """

    cells: tuple[tuple[int, Tally], ...] = field(default=())

    @property
    def total(self) -> Tally:
        """The sum over the cells."""
        total = Tally()
        for _, tally in self.cells:
            total = total.plus(tally)
        return total

    def add(self, tally: Tally, *, now_us: int, window_us: int) -> Window:
        """Return the window with `tally` in the cell of now, and without the cells that are too old."""
        number = now_us // max(1, window_us // CELLS)
        kept = {cell: old for cell, old in self.cells if cell > number - CELLS}
        if tally.calls:
            kept[number] = kept.get(number, Tally()).plus(tally)
        return Window(tuple(sorted(kept.items(), key=lambda cell: cell[0])))


def encode(window: Window) -> str:
    """Write a window as the stores keep it: `number:calls:failed:slow` for each cell, with blanks between."""
    return " ".join(f"{number}:{tally.calls}:{tally.failed}:{tally.slow}" for number, tally in window.cells)


def decode(text: str) -> Window:
    """Read what `encode` wrote."""
    rows = [[int(part) for part in cell.split(":")] for cell in text.split()]
    return Window(tuple((number, Tally(calls, failed, slow)) for number, calls, failed, slow in rows))
