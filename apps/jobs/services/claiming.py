"""Taking jobs to work on: one at a time, or a batch of rows in one statement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection
from django.db import transaction as django_transaction
from django.db.models.functions import Now

from apps.core.database_clock import NOW
from apps.core.db import durable, transaction
from apps.jobs.models import Job
from apps.jobs.services.superseding import keep_newest_parked
from apps.jobs.services.taking_turns import IS_IN_FRONT, IS_RUNNING, gives_way
from apps.jobs.states import RUNNING_ALREADY, TOO_LATE, Standing, moved, refusal_of, why_parked
from apps.jobs.types import ClaimedJob, JobState, Refusal

OWNER_LENGTH_MAX = 60
RETURNED = (
    "id", "fencing_token", "task", "kwargs", "queue", "tenant", "source", "attempts", "attempts_max", "postponements",
    "deadline_at", "schedule", "slot_at",
)  # fmt: skip
STANDING = tuple(Standing.__dataclass_fields__)
TAKE = f"""
    UPDATE jobs_job
    SET state = 'running', attempts = attempts + 1, fencing_token = fencing_token + 1, lease_owner = %(owner)s,
        lease_until = {NOW} + %(lease_s)s * interval '1 s', started_at = {NOW}
    WHERE {{which}}
    RETURNING {", ".join(RETURNED)}
"""
CAN_BE_CLAIMED = f"""
    state = 'queued' AND attempts < attempts_max AND next_try_at <= {NOW} AND (deadline_at IS NULL OR deadline_at > {NOW})
    AND (start_by IS NULL OR start_by >= {NOW} OR attempts > 0)
"""
# The common case in one statement: a job without a scope that may be claimed.
TAKE_ONE = TAKE.format(which=f"id = %(job_id)s AND task = %(task)s AND scope = '' AND {CAN_BE_CLAIMED}")
# Asking first keeps an error out of the server's log each time; between two claims at once the unique index decides.
TAKE_SCOPED = TAKE.format(which=f"id = %(job_id)s AND NOT EXISTS ({IS_RUNNING}) AND NOT EXISTS ({IS_IN_FRONT})")
# ARRAY(…) keeps the planner at the primary key: with IN it may read the whole table. The limit is found by the index.
# A row that was tried before and is due since before any fresh one comes alone: else a task to which fresh rows never stop
# coming would never try it again.
TAKE_NEXT = TAKE.format(
    which=f"""id = ANY(ARRAY(
        WITH overdue AS (
            SELECT id FROM jobs_job WHERE task = %(task)s AND attempts > 0 AND scope = '' AND {CAN_BE_CLAIMED} AND next_try_at < (
                SELECT next_try_at FROM jobs_job WHERE task = %(task)s AND attempts = 0 AND scope = '' AND state = 'queued'
                ORDER BY next_try_at LIMIT 1)
            ORDER BY attempts, next_try_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        ), fresh AS (
            SELECT id FROM jobs_job
            WHERE task = %(task)s AND attempts = 0 AND scope = '' AND {CAN_BE_CLAIMED} AND NOT EXISTS (SELECT FROM overdue)
            ORDER BY next_try_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT id FROM overdue UNION ALL SELECT id FROM fresh))"""
)
TAKE_TRIED = TAKE.format(
    which=f"""id = ANY(ARRAY(
        SELECT id FROM jobs_job WHERE task = %(task)s AND attempts > 0 AND scope = '' AND {CAN_BE_CLAIMED}
        ORDER BY attempts, next_try_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED))"""
)


@durable
def claim(*, job_id: str, task: str, owner: str, now: datetime | None = None) -> ClaimedJob | Refusal:
    """Take one job for `owner` until its lease ends, or return why not. The attempt is counted here.

    A job that came too late becomes skipped, and so does a tick whose scope is busy; other work waits until its scope is free,
    and is rung for then. What has no attempt or no time left is parked.
    Without `now` the time is PostgreSQL's, here and in all that ends or keeps a claim.
    """
    taken = _take(TAKE_ONE, job_id=job_id, task=task, owner=owner, now=now)
    return taken[0] if taken else _claim_with_care(job_id=job_id, task=task, owner=owner, now=now)


@durable
def claim_batch(*, task: str, limit: int, owner: str, now: datetime | None = None) -> list[ClaimedJob]:
    """Take up to `limit` due rows of the task in one statement, the longest due first; an empty list when there are none.

    Rows that were never tried come together. One row that was tried before comes alone, when its turn has come or when
    there are no others, so that a row that kills its worker takes no neighbours with it. Rows with a scope are single work
    and never come here.
    """
    return _take(TAKE_NEXT, task=task, limit=limit, owner=owner, now=now) or _take(TAKE_TRIED, task=task, owner=owner, now=now)


def _take(statement: str, *, owner: str, now: datetime | None, **which: Any) -> list[ClaimedJob]:
    values = {"owner": owner[:OWNER_LENGTH_MAX], "lease_s": settings.JOB_LEASE_S, "now": now, **which}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [_claimed(row) for row in cursor.fetchall()]


def _claimed(row: Sequence[Any]) -> ClaimedJob:
    values = dict(zip(RETURNED, row, strict=True))
    return ClaimedJob(token=values.pop("fencing_token"), kwargs=json.loads(values.pop("kwargs")), **values)


@transaction
def _claim_with_care(*, job_id: str, task: str, owner: str, now: datetime | None) -> ClaimedJob | Refusal:
    """Claim a job that has a scope, or find out why the one-statement claim did not get it, with the row locked."""
    found = Job.objects.select_for_update(no_key=True).filter(id=job_id).annotate(looked_at=Now())
    job = found.only("id", "scope", "schedule", *STANDING).first()
    if job is None:
        return "unknown"
    standing = Standing(**{name: getattr(job, name) for name in STANDING})
    at = now or job.looked_at
    refusal = refusal_of(standing, task=task, now=at)
    if refusal == "late":
        _end(job, "skipped", TOO_LATE, at)
    elif refusal == "parked":
        _end(job, "parked", why_parked(standing), at)
        keep_newest_parked(schedules=[job.schedule])
    elif refusal == "not-due":
        _forget_bell(job)
    return refusal or _take_scoped(job, owner=owner, now=at)


def _take_scoped(job: Job, *, owner: str, now: datetime) -> ClaimedJob | Refusal:
    """Take the locked job; when it is not its turn in the scope, let it wait, or skip it as a tick that is not needed."""
    taken = _take_unless_another_was_faster(job, owner=owner, now=now)
    if taken:
        return taken[0]
    if gives_way(job=job):
        _end(job, "skipped", RUNNING_ALREADY, now)
    else:
        _forget_bell(job)
    return "busy"


def _take_unless_another_was_faster(job: Job, *, owner: str, now: datetime) -> list[ClaimedJob]:
    try:
        with django_transaction.atomic():
            return _take(TAKE_SCOPED, job_id=job.id, owner=owner, now=now)
    except IntegrityError:
        return []


def _forget_bell(job: Job) -> None:
    """Note that the job's bell is spent, so that it is rung for as soon as it may be had."""
    job.rung_at = None
    job.save(update_fields=["rung_at"])


def _end(job: Job, state: JobState, reason: str, now: datetime) -> None:
    job.state = moved(job.state, state)
    job.reason = reason
    job.finished_at = now
    job.save(update_fields=["state", "reason", "finished_at"])
