"""Running pg_dump and pg_restore. Addresses and passwords travel in the environment, never on a command line."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from psycopg.conninfo import conninfo_to_dict

from apps.backups.errors import DumpFailed
from apps.backups.postgres_tools import find_tools

TOOL_TIMEOUT_S = 3_600
APPLICATION = "bellwether-backup"  # what PostgreSQL calls our sessions and those of its programs
LINES_KEPT = 200
# With --verbose the programs name every table when they come to it.
TABLE_LINE = re.compile(r'(?:dumping contents of|processing data for) table "(?:public\.)?([^"]+)"')
# The first that pg_dump says when the snapshot is its own.
READING_LINE = re.compile(r"^pg_dump: reading ")
COMPLAINT = re.compile(r"\b(?:error|fatal):", re.IGNORECASE)
REMARK = re.compile(r"\b(?:error|fatal|warning|detail|hint):", re.IGNORECASE)
VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "service": "PGSERVICE",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}


Heard = Callable[[str], None]


def dump(
    parameters: Mapping[str, Any], snapshot: str, target: IO[bytes], *, on_start: Callable[[], None], on_table: Heard
) -> None:
    """Write a dump of the database, as the exported `snapshot` sees it, in custom format to the open file `target`.

    `parameters` are libpq's names; `on_start` is called when pg_dump has taken the snapshot over, `on_table` hears the name
    of each table when it is its turn. Raises DumpFailed, ToolMissing.
    """
    how = ["--format=custom", "--compress=3", "--no-password", "--verbose", "--lock-wait-timeout=10s", f"--snapshot={snapshot}"]
    has_started = False

    def hear(line: str) -> None:
        nonlocal has_started
        if not has_started and READING_LINE.search(line):
            has_started = True
            on_start()
        _tell_table(line, on_table)

    _run("pg_dump", how, parameters, stdout=target, hear=hear)


def restore(dsn: str, dump_file: Path, *, on_table: Heard) -> None:
    """Restore a dump into the empty database behind `dsn`; `on_table` is as for a dump. Raises DumpFailed, ToolMissing."""
    parameters = conninfo_to_dict(dsn)
    how = [
        "--no-owner",
        "--no-privileges",
        "--no-password",
        "--verbose",
        "--exit-on-error",
        f"--dbname={parameters['dbname']}",
        str(dump_file),
    ]
    _run("pg_restore", how, parameters, stdout=subprocess.DEVNULL, hear=lambda line: _tell_table(line, on_table))


def environment_of(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the whole environment of a program: the address in libpq's variables, and nothing of ours, least of all secrets."""
    address = {variable: str(parameters[name]) for name, variable in VARIABLES.items() if parameters.get(name) not in (None, "")}
    # Messages in English, because the telling line is looked for by its words.
    return address | {"PGAPPNAME": APPLICATION, "LC_ALL": "C", "PATH": os.defpath}


def _run(name: str, how: Sequence[str], parameters: Mapping[str, Any], *, stdout: IO[bytes] | int, hear: Heard) -> None:
    program = subprocess.Popen(
        [str(find_tools(name)), *how],
        env=environment_of(parameters),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    watch = _Watch(program, TOOL_TIMEOUT_S)
    with program, watch:
        said = _listen(name, program, hear)
    if watch.has_ended_it:
        raise DumpFailed(f"{name} took more than {TOOL_TIMEOUT_S} seconds")
    if program.returncode != 0:
        raise DumpFailed(f"{name}: {_telling_line(said, program.returncode)}")


class _Watch:
    """Ends a program that takes too long, and one that is left by an error of ours."""

    def __init__(self, program: subprocess.Popen[str], timeout_s: float) -> None:
        self.has_ended_it = False
        self._program = program
        self._timer = threading.Timer(timeout_s, self._end_late_one)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._program.kill()
        self._program.wait()
        self._timer.cancel()

    def _end_late_one(self) -> None:
        if self._program.poll() is None:
            self.has_ended_it = True
            self._program.kill()


def _listen(name: str, program: subprocess.Popen[str], hear: Heard) -> list[str]:
    """Follow what a program says until it is silent and return the lines that are no mere chatter."""
    kept: deque[str] = deque(maxlen=LINES_KEPT)
    for line in program.stderr or ():
        hear(line)
        is_chatter = TABLE_LINE.search(line) or (line.startswith(f"{name}: ") and not REMARK.search(line))
        if line.strip() and not is_chatter:
            kept.append(line.strip())
    return list(kept)


def _tell_table(line: str, on_table: Heard) -> None:
    table = TABLE_LINE.search(line)
    if table:
        on_table(table[1])


def _telling_line(lines: Sequence[str], code: int) -> str:
    telling = [line for line in lines if COMPLAINT.search(line)]
    return (telling or lines or [f"ended with {code} and said nothing"])[0]
