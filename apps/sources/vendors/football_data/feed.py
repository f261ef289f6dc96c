"""From season files to matches, results and odds.

The vendor lists matches that were played (and, at the weekend, those to come). A key for a match is made of division,
date and teams, since the files have none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from apps.sources.errors import BadRow
from apps.sources.gates import dates
from apps.sources.gates import odds as gates
from apps.sources.gathering import gather
from apps.sources.ports import Caller, Gathered
from apps.sources.strict import number_in
from apps.sources.types import MatchRecord, OddsLine, OddsRecord, Rejected
from apps.sources.vendors.football_data import client, wire
from apps.sources.vendors.football_data.columns import PriceColumn, price_columns

T = TypeVar("T")
SPORT = "soccer"
REJECTED_MAX = 500  # as many as the quarantine keeps of one answer
KEY_LENGTH = 70  # what later rooms add to it must fit too
Row = Mapping[str, str]


async def match_results(caller: Caller, keys: Sequence[str]) -> Gathered[MatchRecord]:
    """Fetch the results of these seasons ("2425/E0")."""
    gathered: Gathered[MatchRecord] = Gathered()
    for key in keys:
        reply = await client.season(caller, key)
        gathered = gathered.plus(await asyncio.to_thread(read_results, reply.body, key))
    return gathered


async def odds(caller: Caller, keys: Sequence[str]) -> Gathered[OddsRecord]:
    """Fetch the opening and closing odds of these seasons."""
    gathered: Gathered[OddsRecord] = Gathered()
    for key in keys:
        reply = await client.season(caller, key)
        gathered = gathered.plus(await asyncio.to_thread(read_odds, reply.body, key, reply.received_at))
    return gathered


def read_results(body: bytes, key: str) -> Gathered[MatchRecord]:
    """Read the matches of a file. Raises BadAnswer."""
    return _each(wire.read_file(body).rows, key, lambda row: as_match(row, key))


def read_odds(body: bytes, key: str, received_at: datetime) -> Gathered[OddsRecord]:
    """Read the matches of a file with their odds; those without any are left out. Raises BadAnswer."""
    file = wire.read_file(body)
    columns = price_columns(file.header)
    faults: list[Rejected] = []

    def note(found: Iterable[Rejected]) -> None:
        faults.extend(list(found)[: REJECTED_MAX - len(faults)])

    def read(row: Row) -> OddsRecord | None:
        lines, unread = _lines(row, columns)
        note(unread)
        if not lines:
            return None
        record, refused = gates.believable(OddsRecord(match=as_match(row, key), lines=tuple(lines), received_at=received_at))
        note(refused)
        return record

    found = _each(file.rows, key, read)
    kept = tuple(record for record in found.records if record is not None)
    return Gathered(records=kept, rejected=(*found.rejected, *faults))


def _each(rows: Sequence[Row], key: str, read: Callable[[Row], T]) -> Gathered[T]:
    """Read every row whose date is believed. A match told twice is refused the second time."""
    meant = _swapped(rows)
    seen: set[tuple[str, ...]] = set()

    def read_one(value: object) -> T:
        row: Row = value if isinstance(value, dict) else {}
        told = tuple(row.get(name, "") for name in ("Date", "HomeTeam", "AwayTeam"))
        if row.get("cut"):
            raise BadRow("the row is cut")
        if told in seen:
            raise BadRow("the match is told twice")
        seen.add(told)
        _refuse_wrong_day(row, key, meant.get(row["#"]))
        return read(row)

    return gather(rows, read_one, key="")


def _refuse_wrong_day(row: Row, key: str, meant: date | None) -> None:
    """Refuse a date that its neighbours or the season contradict. Raises BadRow."""
    day = wire.day_of(row.get("Date", ""))
    if meant is not None:
        raise BadRow(f"day and month of {day} changed places: {meant} fits the matches around it")
    found = client.KEY.fullmatch(key)
    year = _year(found[1]) if found else day.year
    # The longest season so far went from July to the August after it (2019/20).
    if found and not date(year, 7, 1) <= day <= date(year + 1, 8, 31):
        raise BadRow(f"{day} is outside the season {key}")


def _year(text: str) -> int:
    return int(text) + (1900 if int(text) >= wire.CENTURY_TURNS_AT else 2000)


def _swapped(rows: Sequence[Row]) -> dict[str, date]:
    """Return by row number the dates that were meant where day and month changed places."""
    told = [(row["#"], wire.day_or_none(row.get("Date", ""))) for row in rows]
    read = [(number, day) for number, day in told if day is not None]
    meant = dates.swapped([day for _, day in read])
    return {number: day for (number, _), day in zip(read, meant, strict=True) if day is not None}


def as_match(row: Row, key: str) -> MatchRecord:
    """Turn one row into the desk's record: finished when goals are told, scheduled before. Raises BadRow."""
    day, home, away = wire.day_of(row.get("Date", "")), wire.name_of(row, "HomeTeam"), wire.name_of(row, "AwayTeam")
    division = row.get("Div", "") or key.rpartition("/")[2]
    if not division.isascii() or not division.isalnum() or len(division) > 5:
        raise BadRow("Div is not a division")
    home_goals, away_goals = wire.goals_of(row, "FTHG"), wire.goals_of(row, "FTAG")
    if (home_goals is None) != (away_goals is None):
        raise BadRow("goals of one team only")
    _refuse_contradiction(row, home_goals, away_goals)
    match_key = f"{division}:{day.isoformat()}:{home}:{away}"
    if len(match_key) > KEY_LENGTH:
        raise BadRow("the names of the teams are too long")
    return MatchRecord(
        key=match_key,
        sport=SPORT,
        league=division,
        home=home,
        away=away,
        starts_at=wire.moment_of(day, row.get("Time", "")),
        status="scheduled" if home_goals is None else "finished",
        home_score=home_goals,
        away_score=away_goals,
    )


def _refuse_contradiction(row: Row, home: int | None, away: int | None) -> None:
    """Refuse a result that is not the one that the goals make. Raises BadRow."""
    said = row.get("FTR", "")
    if home is None or away is None or not said:
        return
    if said != ("H" if home > away else "A" if home < away else "D"):
        raise BadRow("FTR contradicts the goals")


def _lines(row: Row, columns: Sequence[PriceColumn]) -> tuple[list[OddsLine], list[Rejected]]:
    """Read every column of odds that is filled; one that cannot be read does not harm the others."""
    lines: list[OddsLine] = []
    faults: list[Rejected] = []
    for column in columns:
        text = row.get(column.name, "")
        if not text:
            continue
        try:
            lines.append(_line(row, column, text))
        except BadRow as error:
            name = f"{row.get('Date', '')} {row.get('HomeTeam', '')} {column.name}"[:200].replace("\x00", "\ufffd")
            faults.append(Rejected(reason=f"{column.name}: {error.reason}", excerpt=name, key=name))
    return lines, faults


def _line(row: Row, column: PriceColumn, text: str) -> OddsLine:
    line = column.line
    if column.line_columns:
        told = next((row[name] for name in column.line_columns if row.get(name)), "")
        if not told:
            raise BadRow("a handicap price without a handicap")
        line = number_in(told, "the handicap", low=Decimal(-10), high=Decimal(10))
        if (line * 4) % 1:
            raise BadRow("the handicap is not in quarters")
        line = line.normalize() + 0
    odds = number_in(text, "odds", low=Decimal(-100_000), high=Decimal(100_000))
    return OddsLine(
        kind=column.kind, outcome=column.outcome, bookmaker=column.bookmaker, odds=odds, line=line, closing=column.closing
    )
