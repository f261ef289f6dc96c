"""How long work tells how far it is: a port that services take as an argument, and its ends.

    def rebuild(*, now: datetime, by: str, progress: Progress = unheard) -> int:
        for number, table in enumerate(tables, start=1):
            ...
            progress(number, len(tables), table)

A command gives it a bar (`on_terminal`), a job a row that the desk shows (`apps.jobs.progress`), a test a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from apps.core import clock

PLAIN_EVERY_S = 5.0
NOTE_LENGTH_MAX = 60


class Progress(Protocol):
    """Hears that `done` of `total` parts are done (None: nobody knows how many there are) and what is being done."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Take note; never raises for the listener's own reasons."""
        ...


def unheard(done: int, total: int | None = None, note: str = "") -> None:
    """Take no note: the progress of work that nobody watches."""


class Sparing:
    """Passes on at most one report in `every_s` seconds, and always the one that says that all is done."""

    def __init__(self, heard: Progress, *, every_s: float, clock_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._heard, self._every_s, self._clock_s = heard, every_s, clock_s
        self._told_s = clock_s()
        self._end: tuple[int, int | None] | None = None

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Pass the report on when it is time, or when it is the last."""
        is_end = total is not None and done >= total and self._end != (done, total)
        if is_end or self._clock_s() - self._told_s >= self._every_s:
            self._told_s = self._clock_s()
            self._end = (done, total) if is_end else self._end
            self._heard(done, total, note)


def stage(heard: Progress, number: int, of: int) -> Progress:
    """Return the progress of the stage `number` (from 1) of `of` stages with as many parts each, within the whole."""

    def within(done: int, total: int | None = None, note: str = "") -> None:
        heard(done + (number - 1) * (total or 0), total and total * of, note)

    return within


@contextmanager
def on_terminal(title: str, *, is_json: bool = False, stream: TextIO | None = None) -> Iterator[Progress]:
    """Yield a progress that draws a bar on stderr, or writes a plain line now and then where there is no terminal.

    With `is_json` a program reads along, and nothing is written. Work that is over within PLAIN_EVERY_S writes no lines.
    """
    console = Console(file=stream, stderr=stream is None, highlight=False, soft_wrap=True)
    if is_json:
        yield unheard
    elif console.is_terminal:
        with bar(title, console) as heard:
            yield heard
    else:
        yield Rarely(title, console)


@contextmanager
def bar(title: str, console: Console) -> Iterator[Progress]:
    """Yield a progress that moves a bar: what, how much, how many, since when; the bar is gone afterwards."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Bar(*columns, console=console, transient=True) as drawn:
        task = drawn.add_task(title, total=None, note="")
        yield lambda done, total=None, note="": drawn.update(task, completed=done, total=total, note=shortened(note))


class Rarely:
    """Writes a line every PLAIN_EVERY_S seconds; the end needs none, since the command says how it ended."""

    def __init__(self, title: str, console: Console, *, clock_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._title, self._console, self._clock_s = title, console, clock_s
        self._told_s = clock_s()

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Write the line when it is time."""
        if self._clock_s() - self._told_s >= PLAIN_EVERY_S:
            self._told_s = self._clock_s()
            self._console.print(f"{self._title}: {in_words(done, total, note)}", markup=False)


def percent_of(done: int | None, total: int | None) -> int | None:
    """Return the share in whole percent, from 0 to 100; None while one of the two is not known."""
    if done is None or not total:
        return None
    return min(100, max(0, done * 100 // total))


def in_words(done: int, total: int | None, note: str = "") -> str:
    """Write a report in a line: `12 of 40 (30 %), candles of AAPL`."""
    share = percent_of(done, total)
    counted = f"{done:,} of {total:,}{'' if share is None else f' ({share} %)'}" if total is not None else f"{done:,}"
    return f"{counted}, {note}" if note else counted


def shortened(note: str) -> str:
    """Return a note that leaves room for the bar."""
    return note if len(note) <= NOTE_LENGTH_MAX else f"{note[: NOTE_LENGTH_MAX - 1]}…"
