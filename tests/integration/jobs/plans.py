"""How PostgreSQL would run statements on a table of jobs that is filled for the purpose and emptied again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection, transaction

Nodes = list[dict[str, Any]]


def explained(fill: str, values: Mapping[str, Any], statements: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Nodes]:
    """Fill the table, explain every statement with its values, and leave nothing behind."""
    found: dict[str, Nodes] = {}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(fill, dict(values))
            cursor.execute("ANALYZE jobs_job")
            for name, (statement, parameters) in statements.items():
                cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", dict(parameters))
                found[name] = list(_nodes(cursor.fetchone()[0][0]["Plan"]))
        transaction.set_rollback(True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")
    connection.close()
    return found


def indexes_of(nodes: Nodes) -> set[str]:
    """Return the indexes that a plan reads by; fails when it reads the whole table."""
    scans = [node["Node Type"] for node in nodes if node.get("Relation Name") == "jobs_job"]
    assert "Seq Scan" not in scans
    return {node["Index Name"] for node in nodes if "Index Name" in node}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)
