"""What a database holds, table by table: rows and a digest that does not depend on their order.

The digest of a table is the sum of PostgreSQL's 64-bit hash over the text of every row, computed in the server. It finds
loss, damage and change; it is not meant against somebody who forges rows on purpose (the audit chain is).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from psycopg import sql

from apps.core.progress import Progress, unheard

# The text of a row must be the same in both sessions.
FIXED_FORMS = (
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL search_path = pg_catalog",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
# Ordinary tables, partitions under their own names; not what an extension brings along.
TABLES = """
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname
"""
CONTENT = sql.SQL(
    "SELECT count(*), coalesce(sum(hashtextextended(whole_row_of_table::text, 0)::numeric), 0)::text "
    "FROM ONLY {} AS whole_row_of_table"
)

Content = Mapping[str, Mapping[str, Any]]


class Cursor(Protocol):
    """What Django's and psycopg's cursors have in common."""

    def execute(self, query: Any, /) -> Any:
        """Run a statement."""

    def fetchall(self) -> list[Any]:
        """Return all rows."""


def read_content(cursor: Cursor, progress: Progress = unheard) -> dict[str, dict[str, Any]]:
    """Return {table: {"rows": n, "digest": text}} as the cursor's open transaction sees it."""
    for statement in FIXED_FORMS:
        cursor.execute(statement)
    cursor.execute(TABLES)
    content: dict[str, dict[str, Any]] = {}
    tables = cursor.fetchall()
    for schema, table in tables:
        progress(len(content), len(tables), f"reading {table}")
        cursor.execute(CONTENT.format(sql.Identifier(schema, table)))
        ((rows, digest),) = cursor.fetchall()
        content[table if schema == "public" else f"{schema}.{table}"] = {"rows": rows, "digest": digest}
    progress(len(tables), len(tables))
    return content


def differences(expected: Content, found: Content) -> Iterator[str]:
    """Yield a sentence for every table that is not as expected."""
    for table in sorted({*expected, *found}):
        if table not in found:
            yield f"{table}: missing, {expected[table]['rows']} rows were dumped"
        elif table not in expected:
            yield f"{table}: was not in the database that was dumped"
        elif expected[table]["rows"] != found[table]["rows"]:
            yield f"{table}: {found[table]['rows']} rows, {expected[table]['rows']} were dumped"
        elif expected[table]["digest"] != found[table]["digest"]:
            yield f"{table}: the rows have another content than those dumped"


def row_count(content: Content) -> int:
    """Return how many rows all tables have together."""
    return sum(int(table["rows"]) for table in content.values())
