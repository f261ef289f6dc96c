"""What the jobs of the chaos tests leave behind, so that their effects can be counted from outside.

Effects are rows of a table without any unique key: a job done twice leaves two. Attempts are lines of a file, which
outlive a kill and a refused commit: who began and ended the body of which number, and when.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

NOTES_VARIABLE = "QUEUE_CHAOS_NOTES"
MAKE_TABLE = """
    CREATE TABLE IF NOT EXISTS chaos_effect (
        id bigserial PRIMARY KEY,
        number integer NOT NULL,
        kind text NOT NULL,
        pid integer NOT NULL,
        made_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""
ADD = "INSERT INTO chaos_effect (number, kind, pid) VALUES (%s, %s, %s)"
# No unique key guards this either: between the look and the insert only the fence keeps a second worker out.
ADD_ONCE = """
    INSERT INTO chaos_effect (number, kind, pid)
    SELECT %s, %s, %s WHERE NOT EXISTS (SELECT 1 FROM chaos_effect WHERE number = %s)
"""


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the file: a process began or ended the body of these numbers."""

    what: str
    numbers: tuple[int, ...]
    pid: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A body that a kill ended: whose it was, when it was killed and when the next attempt began (None: never)."""

    number: int
    killed_at_s: float
    retried_at_s: float | None

    @property
    def delay_s(self) -> float:
        """Seconds from the kill to the next attempt; infinite when none came."""
        return float("inf") if self.retried_at_s is None else self.retried_at_s - self.killed_at_s


def write_note(what: str, numbers: Sequence[int]) -> None:
    """Append one line; a single write with O_APPEND is whole or not there."""
    line = json.dumps({"what": what, "numbers": list(numbers), "pid": os.getpid(), "at_s": time.time()})
    handle = os.open(os.environ[NOTES_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode() + b"\n")
    finally:
        os.close(handle)


def read_notes(path: Path) -> list[Note]:
    """Return every note in the order in which it was written."""
    if not path.exists():
        return []
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [Note(line["what"], tuple(line["numbers"]), line["pid"], line["at_s"]) for line in lines]


def interrupted_by(notes: Sequence[Note], kills: Iterable[tuple[float, Iterable[int]]]) -> list[Interrupted]:
    """Return the bodies that were under way in a process when it was killed; `kills` are moments and their processes."""
    died_at_s = {pid: at_s for at_s, pids in kills for pid in pids}
    ended = {(note.pid, number, note.at_s) for note in notes if note.what == "end" for number in note.numbers}
    ends = Counter((pid, number) for pid, number, _ in ended)
    begins: dict[int, list[Note]] = {}
    for note in notes:
        if note.what == "begin":
            for number in note.numbers:
                begins.setdefault(number, []).append(note)
    found = []
    for number, attempts in begins.items():
        for attempt in attempts:
            if attempt.pid in died_at_s and not ends[(attempt.pid, number)]:
                killed_at_s = died_at_s[attempt.pid]
                later = [other.at_s for other in attempts if other.at_s > killed_at_s]
                found.append(Interrupted(number, killed_at_s, min(later, default=None)))
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, the nearest one that was seen."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Effects:
    """The table of effects, read and emptied from outside the workers."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def prepare(self) -> None:
        """Create the table if it is not there, and empty it."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(MAKE_TABLE)
            connection.execute("TRUNCATE chaos_effect RESTART IDENTITY")

    def counts(self, kind: str | None = None) -> Counter[int]:
        """Return how many effects each number has, of one kind or of all."""
        return Counter(row["number"] for row in self.rows() if kind in (None, row["kind"]))

    def doubled(self) -> list[int]:
        """Return the numbers that have more than one effect."""
        return sorted(number for number, count in self.counts().items() if count > 1)

    def rows(self) -> list[dict[str, Any]]:
        """Return every effect."""
        with psycopg.connect(self._dsn, autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
            return connection.execute("SELECT number, kind, pid, made_at FROM chaos_effect ORDER BY id").fetchall()
