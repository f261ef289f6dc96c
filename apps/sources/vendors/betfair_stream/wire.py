"""Betfair's stream messages as they are on the wire: one JSON object a line, read strictly.

`op` is "mcm" for market changes; `pt` the moment in milliseconds; `mc` the markets that changed, each with its whole
definition when that changed and with changes of runners in `rc`. A price level is [odds, size] in `atb` (available to
back) and `atl` (available to lay), or [place, odds, size] in `batb` and `batl`; size 0 takes it away. `img` says that
what was known is replaced (https://docs.developer.betfair.com, Exchange Stream API).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import BytesIO

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.strict import Row, moment_of_milliseconds, parse_json

MARKET_ID = re.compile(r"1\.\d{6,12}", re.ASCII)
ODDS_MIN, ODDS_MAX = Decimal("1.01"), Decimal(1000)
SIZE_MAX = Decimal(10) ** 12
RUNNERS_MAX = 1_000
LINE_BYTES_MAX = 4 * 1024 * 1024  # images of whole subscriptions are seen at 0.2 MB
QUIET = frozenset({"connection", "status"})  # messages that carry no market
STATES = frozenset({"INACTIVE", "OPEN", "SUSPENDED", "CLOSED"})
FATES = frozenset({"ACTIVE", "WINNER", "LOSER", "PLACED", "REMOVED", "REMOVED_VACANT", "HIDDEN"})
LADDERS = ("atb", "atl", "batb", "batl")
Level = tuple[Decimal, Decimal, Decimal]  # key (the odds, or the place), odds, size


@dataclass(frozen=True, slots=True)
class Runner:
    """One that may win, as a definition names it."""

    id: int
    status: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """All that is known about a market beside its prices."""

    status: str
    in_play: bool
    winners: int
    betting_type: str
    market_type: str
    name: str
    event_id: str
    event_type: str
    event_name: str
    base_rate: Decimal
    starts_at: datetime
    settled_at: datetime | None
    runners: tuple[Runner, ...]


@dataclass(frozen=True, slots=True)
class RunnerChange:
    """What changed in the prices of one runner, by ladder."""

    id: int
    ladders: tuple[tuple[str, tuple[Level, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketChange:
    """What changed in one market."""

    id: str
    is_image: bool
    definition: Definition | None
    runners: tuple[RunnerChange, ...]
    volume: Decimal | None


@dataclass(frozen=True, slots=True)
class Message:
    """One line: when it was published and the markets that changed; none for a heartbeat."""

    at: datetime
    changes: tuple[MarketChange, ...]


def read_line(line: bytes) -> Message | None:
    """Read one line; None for messages that are about the connection only. Raises BadRow."""
    if len(line) > LINE_BYTES_MAX:
        raise BadRow(f"the line is longer than {LINE_BYTES_MAX} bytes")
    try:
        row = Row(parse_json(line))
    except BadAnswer as error:
        raise BadRow(error.reason) from None
    op = row.text("op", length_max=20)
    if op in QUIET:
        return None
    if op != "mcm":
        raise BadRow("op is not mcm")
    changes = row.items("mc") if row.has("mc") else ()
    return Message(moment_of_milliseconds(str(_whole(row, "pt")), "pt"), tuple(_change(Row(change)) for change in changes))


def _change(row: Row) -> MarketChange:
    market_id = row.text("id", length_max=20)
    if not MARKET_ID.fullmatch(market_id):
        raise BadRow("id is not the id of a market")
    return MarketChange(
        id=market_id,
        is_image=row.flag("img", default=False),
        definition=_definition(row.row("marketDefinition")) if row.has("marketDefinition") else None,
        runners=tuple(_runner_change(Row(change)) for change in (row.items("rc") if row.has("rc") else ())),
        volume=row.number("tv", low=Decimal(0)) if row.has("tv") else None,
    )


def _definition(row: Row) -> Definition:
    runners = tuple(_runner(Row(runner)) for runner in row.items("runners"))
    if not runners or len(runners) > RUNNERS_MAX or len({runner.id for runner in runners}) != len(runners):
        raise BadRow("runners are none, too many or named twice")
    return Definition(
        status=_one_of(row, "status", STATES),
        in_play=row.flag("inPlay", default=False),
        winners=_whole(row, "numberOfWinners"),
        betting_type=row.text("bettingType", length_max=40),
        market_type=row.text_or("marketType", "", length_max=60),
        name=row.text_or("name", "", length_max=200),
        event_id=row.text("eventId", length_max=20),
        event_type=row.text_or("eventTypeId", "", length_max=20),
        event_name=row.text_or("eventName", row.text_or("venue", "")),
        base_rate=row.number("marketBaseRate", low=Decimal(0), high=Decimal(100)),
        starts_at=row.moment("marketTime"),
        settled_at=row.moment_or_none("settledTime"),
        runners=runners,
    )


def _runner(row: Row) -> Runner:
    if row.has("hc") and row.number("hc", low=Decimal(-1000), high=Decimal(1000)) != 0:
        raise BadRow("runners with a handicap")
    return Runner(_whole(row, "id"), _one_of(row, "status", FATES), row.text_or("name", "", length_max=200))


def _runner_change(row: Row) -> RunnerChange:
    ladders = tuple((name, tuple(_level(name, item) for item in row.items(name))) for name in LADDERS if row.has(name))
    return RunnerChange(_whole(row, "id"), ladders)


def _level(ladder: str, item: object) -> Level:
    """Read one level; the odds of one that is taken away need not be odds."""
    values = item if isinstance(item, list) else []
    if len(values) != (3 if ladder.startswith("b") else 2):
        raise BadRow(f"a level of {ladder} has not its parts")
    numbers = [_number(value, ladder) for value in values]
    key, odds, size = numbers[0], numbers[-2], numbers[-1]
    if not 0 <= size <= SIZE_MAX or (size and not ODDS_MIN <= odds <= ODDS_MAX):
        raise BadRow(f"a level of {ladder} has impossible odds or size")
    return key, odds, size


def _number(value: object, name: str) -> Decimal:
    return Row({name: value}).number(name, low=Decimal(0))


def _whole(row: Row, name: str) -> int:
    number = row.number(name, low=Decimal(0))
    if number % 1:
        raise BadRow(f"{name} is not a whole number")
    return int(number)


def _one_of(row: Row, name: str, allowed: frozenset[str]) -> str:
    text = row.text(name, length_max=40)
    if text not in allowed:
        raise BadRow(f"{name} is none that we know")
    return text


def lines_of(body: bytes) -> Iterator[bytes]:
    """Yield the lines that hold anything, without a second copy of the body."""
    return (line for line in BytesIO(body) if line.strip())
