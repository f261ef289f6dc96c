"""On a table of 100,000 ticks a look of beat, and the letting go of old ticks, find their rows by an index."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.jobs.services import scheduling, superseding
from tests.integration.jobs.plans import explained, indexes_of
from tests.integration.jobs.schedule_world import SECOND, START

pytestmark = pytest.mark.django_db  # also lets pytest-django make the test database, which the module's fixture fills
FILL = """
    INSERT INTO jobs_job (id, task, kwargs, queue, scope, schedule, slot_at, tenant, source, priority, state, attempts,
        attempts_max, postponements, lease_owner, fencing_token, progress_note, made_at, made_by, reason, trace, next_try_at,
        finished_at)
    SELECT 'job_' || lpad(n::text, 26, '0'), 'tasks.upkeep.seal', '{}', 'upkeep', '', 'tick ' || n %% 20,
        %(start)s::timestamptz + n / 20 * interval '1 s', '', '', 0, CASE WHEN n > 92000 THEN 'queued' WHEN n %% 50 = 7 THEN 'parked' ELSE 'done' END, 0,
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
OF_ONE = {"name": "tick 7", "newest": END, "why": "superseded", "limit": 1_000}
PARKED: dict[str, tuple[str, dict[str, Any]]] = {
    "find the newest that is parked": (superseding.NEWEST, OF_ONE),
    "let those before it give way": (superseding.GIVE_WAY, OF_ONE),
}


@pytest.fixture(scope="module")
def plans(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        return explained(FILL, {"start": START}, STATEMENTS | PARKED)


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_it_reads_by_the_index_of_slots(plans, name):
    assert "one_job_per_slot" in indexes_of(plans[name])


@pytest.mark.parametrize("name", sorted(PARKED))
def test_parked_slots_are_found_by_an_index_of_their_own(plans, name):
    assert "job_parked_slot" in indexes_of(plans[name])
