"""Jobs of one scope take turns: one runs, the others wait in a line and are rung for as the one before them ends.

Slots of a schedule stand in the line in the order of their times, behind jobs that somebody asked for. What waits is queued
like any other job: it holds no worker, and waiting is no attempt.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from apps.core.bell import Bell, ring_all
from apps.core.database_clock import NOW
from apps.core.db import transaction_required
from apps.jobs.models import Job, Schedule

# `scope <> ''` says what the indexes hold.
IS_RUNNING = "SELECT FROM jobs_job AS other WHERE other.scope = jobs_job.scope AND other.scope <> '' AND other.state = 'running'"
# A slot does not overtake an earlier one of its schedule that nobody has begun yet.
IS_IN_FRONT = f"""
    SELECT FROM jobs_job AS earlier
    WHERE earlier.scope = jobs_job.scope AND earlier.scope <> '' AND earlier.state = 'queued'
      AND earlier.slot_at < jobs_job.slot_at AND earlier.schedule = jobs_job.schedule
      AND earlier.attempts = 0 AND earlier.next_try_at <= {NOW}
"""
LINE = "scope <> '' AND state = 'queued' AND next_try_at <= {now} ORDER BY slot_at NULLS FIRST, next_try_at, id LIMIT 1"
# For the caretaker, who asks it of many rows: whether a bell for this one could lead to a claim.
HAS_ITS_TURN = f"""
    (jobs_job.scope = '' OR (NOT EXISTS ({IS_RUNNING})
     AND jobs_job.id = (SELECT id FROM jobs_job AS line WHERE line.scope = jobs_job.scope AND {LINE.format(now="%(now)s")})))
"""
# The bell is noted unless a claim holds the row at this moment; it rings in any case.
RING_NEXT = f"""
    WITH next AS (
        SELECT id, task, queue, source, tenant, priority FROM jobs_job WHERE scope = %(scope)s AND {LINE.format(now=NOW)}
    ), noted AS (
        UPDATE jobs_job SET rung_at = {NOW} WHERE id = ANY(ARRAY(
            SELECT id FROM jobs_job WHERE id = (SELECT id FROM next) AND state = 'queued' FOR NO KEY UPDATE SKIP LOCKED))
    )
    SELECT id, task, queue, source, tenant, priority FROM next
"""
RUNG = ("job_id", "task", "queue", "source", "tenant", "priority")


@transaction_required
def ring_next(*, scopes: Iterable[str], now: datetime | None) -> None:
    """Ring, after the commit, for the first in line of each scope that becomes free with it.

    It goes before all others in its queue: it has waited there already. Jobs without a scope bear "", which is left out.
    """
    bells = []
    with connection.cursor() as cursor:
        for scope in sorted(set(scopes) - {""}):
            cursor.execute(RING_NEXT, {"scope": scope, "now": now})
            bells += [Bell(**dict(zip(RUNG, row, strict=True)), goes_first=True) for row in cursor.fetchall()]
    ring_all(bells)


@transaction_required
def gives_way(*, job: Job) -> bool:
    """Say whether the job is a tick that nobody has begun and that finds its scope busy: the one that runs does its work.

    Under the policy "all" each slot is wanted; then it waits, as does all work that is no tick.
    """
    if not job.schedule or job.attempts > 0:
        return False
    if Schedule.objects.filter(name=job.schedule, misfire="all").exists():
        return False
    return Job.objects.filter(scope=job.scope, state="running").exists()
