"""Running pg_dump and pg_restore. Addresses and passwords travel in the environment, never on a command line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from psycopg.conninfo import conninfo_to_dict

from apps.backups.errors import DumpFailed
from apps.backups.postgres_tools import find_tools

TOOL_TIMEOUT_S = 3_600
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


def dump(parameters: Mapping[str, Any], snapshot: str, target: IO[bytes]) -> None:
    """Write a dump of the database, as the exported `snapshot` sees it, in custom format to the open file `target`.

    `parameters` are libpq's names. Raises DumpFailed, ToolMissing.
    """
    how = ["--format=custom", "--compress=3", "--no-password", "--lock-wait-timeout=10s", f"--snapshot={snapshot}"]
    _run("pg_dump", how, parameters, stdout=target)


def restore(dsn: str, dump_file: Path) -> None:
    """Restore a dump into the empty database behind `dsn`. Raises DumpFailed, ToolMissing."""
    parameters = conninfo_to_dict(dsn)
    how = [
        "--no-owner",
        "--no-privileges",
        "--no-password",
        "--exit-on-error",
        f"--dbname={parameters['dbname']}",
        str(dump_file),
    ]
    _run("pg_restore", how, parameters, stdout=subprocess.DEVNULL)


def environment_of(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the whole environment of a program: the address in libpq's variables, and nothing of ours, least of all secrets."""
    address = {variable: str(parameters[name]) for name, variable in VARIABLES.items() if parameters.get(name) not in (None, "")}
    # Messages in English, because the telling line is looked for by its words.
    return address | {"PGAPPNAME": "bellwether-backup", "LC_ALL": "C", "PATH": os.defpath}


def _run(name: str, how: Sequence[str], parameters: Mapping[str, Any], *, stdout: IO[bytes] | int) -> None:
    try:
        done = subprocess.run(
            [str(find_tools(name)), *how],
            env=environment_of(parameters),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DumpFailed(f"{name} took more than {TOOL_TIMEOUT_S} seconds") from error
    if done.returncode != 0:
        raise DumpFailed(f"{name}: {_telling_line(done.stderr.decode(errors='replace'), done.returncode)}")


def _telling_line(said: str, code: int) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (telling or lines or [f"ended with {code} and said nothing"])[0]
