"""A look at the whole database at one moment, which pg_dump shares: on a session of its own, for as long as that needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from apps.backups.tools import APPLICATION


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a session sees. `name` is for `pg_dump --snapshot`; once that has it, the session may `end`."""

    name: str
    server_version: str
    session: psycopg.Connection[Any]

    def end(self) -> None:
        """Close the session; who has taken the snapshot over keeps it."""
        self.session.close()


@contextmanager
def snapshot(parameters: Mapping[str, Any]) -> Iterator[Snapshot]:
    """Yield a snapshot of the database behind libpq's `parameters`; its session ends with the block at the latest.

    Raises psycopg.Error.
    """
    with psycopg.connect(**{**parameters, "application_name": APPLICATION}) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        ((name, version),) = session.execute("SELECT pg_export_snapshot(), current_setting('server_version')").fetchall()
        yield Snapshot(name, version, session)
