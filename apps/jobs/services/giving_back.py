"""Giving a job back in the middle of its work, and not writing down what waits already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from apps.core.bell import Bell, ring_all
from apps.core.database_clock import NOW
from apps.core.db import lock_for_transaction, transaction
from apps.jobs.fence import HELD, held_by, refuse_stale
from apps.jobs.models import Job
from apps.jobs.services.ending import LET_GO, REASON_LENGTH_MAX
from apps.jobs.services.enqueuing import insert_jobs
from apps.jobs.types import ClaimedJob, NewJob

GIVE_BACK = f"""
    UPDATE jobs_job SET state = 'queued', next_try_at = {NOW}, attempts = attempts - 1,
        reason = %(reason)s, trace = '', rung_at = {NOW}, {LET_GO}
    WHERE {HELD} RETURNING priority
"""


@transaction
def give_back(*, claim: ClaimedJob, now: datetime | None = None, reason: str = "") -> None:
    """Let a job go that got on and has more to do, and ring for the rest of it. Raises StaleLease.

    It is no attempt and no postponement: it got on. A paced one waits for its next slot outside of the workers.
    """
    with connection.cursor() as cursor:
        cursor.execute(GIVE_BACK, {"now": now, "reason": reason[:REASON_LENGTH_MAX], **held_by([claim])})
        found = cursor.fetchall()
    refuse_stale([claim], len(found))
    bell = Bell(
        task=claim.task, queue=claim.queue, job_id=claim.id, source=claim.source, tenant=claim.tenant, priority=found[0][0]
    )
    ring_all([bell])


@transaction
def enqueue_absent(*, jobs: Sequence[NewJob], now: datetime, by: str) -> int:
    """Write down those jobs of whose task and scope none is queued, and return how many that were. Raises WrongJob.

    For work that is wanted again and again: what still waits for its slot is not wanted twice.
    """
    tasks, scopes = {job.task for job in jobs}, {job.scope for job in jobs}
    for task in sorted(tasks):
        lock_for_transaction(f"jobs.enqueue_absent.{task}")
    queued = Job.objects.filter(state="queued", task__in=tasks, scope__in=scopes)
    waiting = set(queued.values_list("task", "scope"))
    return len(insert_jobs(jobs=[job for job in jobs if (job.task, job.scope) not in waiting], now=now, by=by))
