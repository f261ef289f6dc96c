"""football-data.co.uk's season files as they are on the wire.

Their habits: UTF-8 with a mark or the Windows alphabet; two forms of date; no time of day before 2019; rows and columns
of nothing at the end; files that stop in the middle of a row; a season that was abandoned has fewer rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from io import StringIO
from zoneinfo import ZoneInfo

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.strict import excerpt_of
from apps.sources.vendors.football_data.columns import REQUIRED

DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})", re.ASCII)
CLOCK = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
LONDON = ZoneInfo("Europe/London")  # the vendor gives kick-offs in British time, whatever the country
MIDDAY = time(12)  # stands in for a time of day that the file does not tell
CENTURY_TURNS_AT = 70  # dd/mm/93 is 1993, dd/mm/04 is 2004
ROWS_MAX = 5_000
NAME = re.compile(r"[^\x00-\x1f]{1,80}")


@dataclass(frozen=True, slots=True)
class SeasonFile:
    """The header and the rows that hold anything, each with its number in the file."""

    header: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]


def read_file(body: bytes) -> SeasonFile:
    """Split a file into rows of named texts. Raises BadAnswer when it is no season file."""
    try:
        lines = [[cell.strip() for cell in row] for row in csv.reader(StringIO(_decoded(body), newline=""), strict=True)]
    except csv.Error as error:
        raise BadAnswer(f"the body is not CSV ({error})"[:200], excerpt=excerpt_of(body)) from None
    header = tuple(lines[0]) if lines else ()
    if not set(REQUIRED) <= set(header):
        kind = "empty" if not body.strip() else "HTML" if body.lstrip()[:1] == b"<" else "no season file"
        raise BadAnswer(f"the body is {kind}: its first line does not name date and teams", excerpt=excerpt_of(body))
    if len(lines) > ROWS_MAX:
        raise BadAnswer(f"the file has more than {ROWS_MAX} rows", excerpt=excerpt_of(body))
    rows = [_named(header, cells, number) for number, cells in enumerate(lines[1:], start=2) if any(cells)]
    return SeasonFile(header, tuple(rows))


def _decoded(body: bytes) -> str:
    """Return the text: UTF-8 with or without its mark, or else the Windows alphabet, where every byte means something."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _named(header: Sequence[str], cells: Sequence[str], number: int) -> dict[str, str]:
    """Return the cells by column. Of columns with one name the first counts; `#` is the row's number, `cut` is "1" when
    the row stops before its teams' columns are reached."""
    named: dict[str, str] = {}
    for name, cell in zip(header, cells, strict=False):
        named.setdefault(name, cell)
    named.pop("", None)
    is_cut = len(cells) < len(header) and not all(name in named for name in (*REQUIRED, "FTHG", "FTAG"))
    return {**named, "#": str(number), "cut": "1" if is_cut else ""}


def day_of(text: str) -> date:
    """Return the date of "16/08/2024" or "16/08/24". Raises BadRow."""
    found = DAY.fullmatch(text)
    if not found:
        raise BadRow("Date is not a date")
    day, month, year = (int(part) for part in found.groups())
    if len(found[3]) == 2:
        year += 1900 if year >= CENTURY_TURNS_AT else 2000
    try:
        return date(year, month, day)
    except ValueError:
        raise BadRow("Date is no real date") from None


def day_or_none(text: str) -> date | None:
    """Return the date, or None for what is none: such a row is refused by itself when its turn comes."""
    try:
        return day_of(text)
    except BadRow:
        return None


def moment_of(day: date, clock: str) -> datetime:
    """Return the kick-off in UTC; midday where the file tells no time. Raises BadRow."""
    if not clock:
        return datetime.combine(day, MIDDAY, tzinfo=UTC)
    found = CLOCK.fullmatch(clock)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise BadRow("Time is not a time of day")
    return datetime.combine(day, time(int(found[1]), int(found[2])), tzinfo=LONDON).astimezone(UTC)


def name_of(row: Mapping[str, str], column: str) -> str:
    """Return a team's name. Raises BadRow."""
    text = row.get(column, "")
    if not NAME.fullmatch(text):
        raise BadRow(f"{column} is not a name")
    return text


def goals_of(row: Mapping[str, str], column: str) -> int | None:
    """Return goals, or None where none are told yet. Raises BadRow."""
    text = row.get(column, "").removesuffix(".0")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 2:
        raise BadRow(f"{column} is not a number of goals")
    return int(text)
