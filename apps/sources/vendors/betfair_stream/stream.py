"""The state of markets while a recording is read line by line; pure.

A line that cannot be read is a lost change: the prices of every market seen so far are in doubt until its next image,
and no book is offered meanwhile. Definitions are whole each time and stay believed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from apps.sources.errors import BadRow
from apps.sources.strict import excerpt_of
from apps.sources.types import Rejected
from apps.sources.vendors.betfair_stream.wire import Definition, Level, MarketChange, Message, RunnerChange, lines_of, read_line

Side = list[tuple[Decimal, Decimal]]  # odds and size, best first
REJECTED_MAX = 500
K = TypeVar("K")


@dataclass(slots=True)
class Ladders:
    """The levels of one runner by ladder: key to odds and size."""

    levels: dict[str, dict[Decimal, tuple[Decimal, Decimal]]] = field(default_factory=dict)

    def change(self, ladder: str, changed: Iterable[Level]) -> None:
        """Set levels; size 0 takes one away."""
        levels = self.levels.setdefault(ladder, {})
        for key, odds, size in changed:
            if size:
                levels[key] = (odds, size)
            else:
                levels.pop(key, None)

    def to_back(self) -> Side:
        """Return what can be backed, the longest odds first: the whole ladder if it is sent, else its best places."""
        return sorted(self._side("atb", "batb"), reverse=True)

    def to_lay(self) -> Side:
        """Return what can be laid, the shortest odds first."""
        return sorted(self._side("atl", "batl"))

    def _side(self, whole: str, best: str) -> Side:
        return list((self.levels.get(whole) or self.levels.get(best) or {}).values())


@dataclass(slots=True)
class Market:
    """One market as it is known after the last line. `first` is its first definition, which fixes its outcomes."""

    id: str
    said_at: datetime
    first: Definition | None = None
    definition: Definition | None = None
    is_torn: bool = False
    volume: Decimal = Decimal(0)
    runners: dict[int, Ladders] = field(default_factory=dict)

    def apply(self, change: MarketChange, at: datetime) -> None:
        """Take one change in."""
        self.said_at = at
        if change.is_image:
            self.runners, self.is_torn = {}, False
        if change.definition is not None:
            self.first = self.first or change.definition
            self.definition = change.definition
        self.volume = self.volume if change.volume is None else change.volume
        for runner in change.runners:
            self._apply_runner(runner)

    def _apply_runner(self, change: RunnerChange) -> None:
        ladders = self.runners.setdefault(change.id, Ladders())
        for name, levels in change.ladders:
            ladders.change(name, levels)


@dataclass(slots=True)
class Stream:
    """All markets of a recording, and the lines that were not believed."""

    markets: dict[str, Market] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    at: datetime | None = None

    def take(self, message: Message) -> None:
        """Take one message in. Raises BadRow, before anything changes, when it goes back in time."""
        if self.at is not None and message.at < self.at:
            raise BadRow("pt goes back in time")
        self.at = message.at
        for change in message.changes:
            market = self.markets.setdefault(change.id, Market(change.id, message.at))
            market.apply(change, message.at)

    def tear(self) -> None:
        """Doubt the prices of every market."""
        for market in self.markets.values():
            market.is_torn = True


def replay(body: bytes, name: str) -> Stream:
    """Read a recording from its first line to its last. Nothing is raised; `name` marks what was not believed."""
    stream = Stream()
    for number, line in enumerate(lines_of(body), start=1):
        try:
            message = read_line(line)
            if message is not None:
                stream.take(message)
        except BadRow as error:
            stream.tear()
            if len(stream.rejected) < REJECTED_MAX:
                key = f"{name}:{number}"
                stream.rejected.append(Rejected(reason=error.reason, excerpt=excerpt_of(line[:500]), key=key[-200:]))
    return stream
