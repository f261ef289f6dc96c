"""Fixtures for tests on real servers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from django.db.backends.postgresql.operations import DatabaseOperations


@pytest.fixture(autouse=True, scope="session")
def _flush_may_empty_append_only_tables() -> Iterator[None]:
    """Let the flush after `django_db(transaction=True)` empty tables whose triggers refuse TRUNCATE.

    Only the statements of the flush run in the replication role, in which PostgreSQL fires no ordinary trigger.
    """
    run_flush = DatabaseOperations.execute_sql_flush

    def run_as_replica(self: DatabaseOperations, sql_list: Iterable[str]) -> None:
        run_flush(self, ["SET LOCAL session_replication_role = replica", *sql_list])

    DatabaseOperations.execute_sql_flush = run_as_replica  # type: ignore[method-assign,assignment]
    yield
    DatabaseOperations.execute_sql_flush = run_flush  # type: ignore[method-assign]
