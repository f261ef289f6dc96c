"""On a table of 100,000 rows every statement of the queue finds its rows by an index.

Of the table nine tenths are done, as in life; 8,000 rows wait and 2,000 run.
"""

from __future__ import annotations

from typing import Any

import pytest

from apps.jobs import fence, selectors
from apps.jobs.lost_bells import PATIENCE
from apps.jobs.services import claiming, ending, forgetting, holding, reconciling, taking_turns
from tests.integration.jobs.jobs_world import BATCH, NOW, SINGLE, after
from tests.integration.jobs.plans import explained, indexes_of

pytestmark = pytest.mark.django_db  # also lets pytest-django make the test database, which the module's fixture fills

FILL = """
    INSERT INTO jobs_job (id, task, kwargs, queue, scope, schedule, tenant, source, priority, state, attempts, attempts_max,
        postponements, lease_owner, fencing_token, progress_note, made_at, made_by, reason, trace, next_try_at, rung_at,
        lease_until, started_at, finished_at, start_by)
    SELECT 'job_' || lpad(n::text, 26, '0'), CASE WHEN n %% 2 = 0 THEN %(batch)s ELSE %(single)s END, '{"n": 1}',
        (ARRAY['fetch', 'money', 'upkeep'])[1 + n %% 3], '', '', '', '', 0,
        CASE WHEN n > 92000 THEN 'queued' WHEN n > 90000 THEN 'running' ELSE 'done' END, 0, 3, 0, '', 0, '',
        %(now)s::timestamptz + n * interval '1 ms', 'test', '', '', %(now)s::timestamptz + n * interval '1 ms', %(now)s,
        CASE WHEN n BETWEEN 90001 AND 92000 THEN %(now)s::timestamptz + n * interval '1 ms' END, %(now)s,
        CASE WHEN n <= 90000 THEN %(now)s::timestamptz + n * interval '1 ms' END,
        CASE WHEN n %% 100 = 0 THEN %(now)s::timestamptz + n * interval '1 ms' END
    FROM generate_series(1, 100000) AS n
"""
LATER = after(200)
CLAIM = {"owner": "w", "lease_s": 15, "now": LATER}
HELD: dict[str, Any] = {"ids": [f"job_{n:026d}" for n in range(90_001, 90_101)], "tokens": [0] * 100, "now": LATER}
SCOPES = {"one_running_per_scope", "job_scope_line"}
LOOK = {"now": LATER, "old": LATER, "limit": 100}

STATEMENTS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "claim": (claiming.TAKE_ONE, {**CLAIM, "job_id": HELD["ids"][0], "task": SINGLE}, {"jobs_job_pkey"}),
    "claim in a scope": (
        claiming.TAKE_SCOPED,
        {**CLAIM, "job_id": HELD["ids"][0]},
        {"jobs_job_pkey", *SCOPES},
    ),
    "claim a fresh batch": (claiming.TAKE_NEXT, {**CLAIM, "task": BATCH, "limit": 100}, {"job_batch", "jobs_job_pkey"}),
    "claim a tried row": (claiming.TAKE_TRIED, {**CLAIM, "task": BATCH}, {"job_batch", "jobs_job_pkey"}),
    "renew": (holding.RENEW, {**HELD, "lease_s": 15}, {"jobs_job_pkey"}),
    "check": (holding.CHECK, HELD, {"jobs_job_pkey"}),
    "finish": (ending.FINISH, {**HELD, "reason": ""}, {"jobs_job_pkey"}),
    "free": (reconciling.FREE, {**LOOK, "now": after(90.2)}, {"job_leased", "jobs_job_pkey"}),
    "end what is out of time": (reconciling.END_OUT_OF_TIME, {**LOOK, "now": after(92.5)}, {"job_out_of_time", "jobs_job_pkey"}),
    "count what waits": (reconciling.WAITING, LOOK, {"job_due", *SCOPES}),
    "find the oldest waits": (selectors.OLDEST_WAITS, {"now": LATER}, {"job_due", "one_running_per_scope"}),
    "ring for a batch": (reconciling.RING_BATCH, {**LOOK, "task": BATCH}, {"job_batch", "jobs_job_pkey"}),
    "ring for single jobs": (
        reconciling.RING_SINGLES,
        {**LOOK, "queue": "money", "source": None, "paced": [], "batch_tasks": [BATCH], "count": 100, "overtaken_until": LATER},
        {"job_due", "jobs_job_pkey", *SCOPES},
    ),
    "ring for the next in line": (taking_turns.RING_NEXT, {"scope": "one", "now": None}, {"job_scope_line", "jobs_job_pkey"}),
    "count what was overtaken": (
        reconciling.OVERTAKEN,
        {**LOOK, "patience": PATIENCE, "recent": after(89), "batch_tasks": [BATCH]},
        {"job_leased", "job_ended", "job_due", *SCOPES},
    ),
    "forget": (forgetting.DELETE, {"state": "done", "before": after(5), "limit": 100}, {"job_ended", "jobs_job_pkey"}),
}
# The planner may read the few queued rows by either of their two indexes.
EITHER = {"job_due", "job_batch"}


@pytest.fixture(scope="module")
def plans(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        return explained(
            FILL,
            {"now": NOW, "batch": BATCH, "single": SINGLE},
            {name: (statement, values) for name, (statement, values, _) in STATEMENTS.items()},
        )


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_a_statement_reads_by_its_index_and_never_the_whole_table(plans, name):
    expected = STATEMENTS[name][2]
    used = indexes_of(plans[name])
    assert used == expected or (expected & EITHER and used - EITHER == expected - EITHER and used & EITHER)


def test_every_statement_on_held_rows_carries_the_fence():
    for name in ("renew", "check", "finish"):
        assert fence.HELD in STATEMENTS[name][0]
    assert fence.HELD in ending.MOVE
