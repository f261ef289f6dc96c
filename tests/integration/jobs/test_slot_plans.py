"""On a table of 100,000 ticks a look of beat, and the letting go of old ticks, find their rows by an index."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from apps.jobs.services import scheduling
from tests.integration.jobs.schedule_world import SECOND, START

pytestmark = pytest.mark.django_db  # also lets pytest-django make the test database, which the module's fixture fills
FILL = """
    INSERT INTO jobs_job (id, task, kwargs, queue, scope, schedule, slot_at, tenant, source, priority, state, attempts,
        attempts_max, postponements, lease_owner, fencing_token, progress_note, made_at, made_by, reason, trace, next_try_at,
        finished_at)
    SELECT 'job_' || lpad(n::text, 26, '0'), 'tasks.upkeep.seal', '{}', 'upkeep', '', 'tick ' || n %% 20,
        %(start)s::timestamptz + n / 20 * interval '1 s', '', '', 0, CASE WHEN n > 92000 THEN 'queued' ELSE 'done' END, 0,
        3, 0, '', 0, '', %(start)s, 'beat', '', '', %(start)s, CASE WHEN n <= 92000 THEN %(start)s::timestamptz END
    FROM generate_series(1, 100000) AS n
"""
NAMES = [f"tick {number}" for number in range(20)]
END = START + timedelta(seconds=5000)
LATEST = {"names": NAMES, "slots": [END] * 20, "reasons": ["superseded"] * 20, "now": END}
OLD = {"names": NAMES, "before": [START + 100 * SECOND] * 20, "states": ["done", "skipped", "discarded"], "limit": 1_000}
STATEMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "supersede": (scheduling.SUPERSEDE, LATEST),
    "forget": (scheduling.FORGET, OLD),
}


@pytest.fixture(scope="module")
def plans(django_db_setup, django_db_blocker):
    """Fill the table, explain both statements, and leave nothing behind."""
    found: dict[str, list[dict[str, Any]]] = {}
    with django_db_blocker.unblock(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(FILL, {"start": START})
            cursor.execute("ANALYZE jobs_job")
            for name, (statement, values) in STATEMENTS.items():
                cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
                found[name] = list(nodes(cursor.fetchone()[0][0]["Plan"]))
        transaction.set_rollback(True)
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")
    connection.close()
    return found


def nodes(plan: dict[str, Any]):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_it_reads_by_the_index_of_slots(plans, name):
    used = {node["Index Name"] for node in plans[name] if "Index Name" in node}
    scans = [node["Node Type"] for node in plans[name] if node.get("Relation Name") == "jobs_job"]
    assert "Seq Scan" not in scans
    assert "one_job_per_slot" in used
