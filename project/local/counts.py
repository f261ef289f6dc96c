"""The live line: how much the desk holds, asked cheaply over one connection."""

from __future__ import annotations

import contextlib

import psycopg

# The server's own statistics, not count(*): they cost nothing however large the tables grow, sum over partitions, and
# a table that does not exist yet is simply not among them.
QUERY = """
    SELECT name, coalesce(sum(n_live_tup), 0)::bigint
    FROM unnest(%s::text[]) AS name
    LEFT JOIN pg_stat_user_tables ON relname = name OR relname ~ ('^' || name || '_p?[0-9]')
    GROUP BY name
"""
TABLES = {
    "markets_market": "markets",
    "markets_quote": "quotes",
    "forecasts_forecast": "forecasts",
    "trading_fill": "fills",
    "settlement_settlement": "settlements",
}


class Counts:
    """One connection that is opened again when it was lost; `read` never fails, it only has nothing to say."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: psycopg.Connection | None = None

    def read(self) -> dict[str, int]:
        """Return rows per kind in the order of `TABLES`, or nothing while the database is away."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=2)
            rows = self._connection.execute(QUERY, [list(TABLES)]).fetchall()
        except psycopg.Error:
            self.close()
            return {}
        found: dict[str, int] = dict(rows)
        return {label: found[table] for table, label in TABLES.items()}

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None
