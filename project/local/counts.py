"""The live line: how much the desk holds, asked cheaply over one connection."""

from __future__ import annotations

import contextlib

import psycopg
from psycopg import sql

# Counting stops here, so that a desk of years costs no more than one of days.
MOST_COUNTED = 100_000
TABLES = {
    "markets_market": "markets",
    "markets_quote": "quotes",
    "forecasts_forecast": "forecasts",
    "trading_fill": "fills",
    "settlement_settlement": "settlements",
}
EXISTING = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL"
COUNT = sql.SQL("SELECT count(*) FROM (SELECT FROM {table} LIMIT {most}) AS counted")


class Counts:
    """One connection that is opened again when it was lost; `read` never fails, it only has nothing to say."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: psycopg.Connection | None = None

    def read(self) -> dict[str, int]:
        """Return rows per kind (`MOST_COUNTED` at most) in the order of `TABLES`, or nothing while the database is away."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=2)
            return self._count(self._connection)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            self.close()
            return {}

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def _count(self, connection: psycopg.Connection) -> dict[str, int]:
        existing = {name for (name,) in connection.execute(EXISTING, [list(TABLES)])}
        counts = dict.fromkeys(TABLES.values(), 0)
        for table in existing:
            ((counts[TABLES[table]],),) = connection.execute(COUNT.format(table=sql.Identifier(table), most=MOST_COUNTED))
        return counts
