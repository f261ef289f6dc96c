"""Parked work: put aside, sent back into its queue, or let go. What a person decides is audited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.audit import services as audit
from apps.core.bell import Bell, ring_all
from apps.core.database_clock import database_now
from apps.core.db import transaction
from apps.core.masking import masked, masked_text
from apps.jobs.batching import needed
from apps.jobs.errors import JobNotFound, JobNotParked
from apps.jobs.models import Job
from apps.jobs.states import moved

REASON_LENGTH_MAX = 300


@transaction
def park_message(
    *, task: str, kwargs: Mapping[str, Any], queue: str, reason: str, trace: str, attempts: int, by: str, now: datetime
) -> str:
    """Park the work of a message that had no row, and return the id of its job. Secrets are masked."""
    job = Job.objects.create(
        task=task[:120],
        kwargs=masked(kwargs),
        queue=queue[:20],
        state="parked",
        attempts=attempts,
        next_try_at=now,
        made_at=now,
        made_by=by[:120],
        finished_at=now,
        reason=masked_text(reason)[:REASON_LENGTH_MAX],
        trace=masked_text(trace),
    )
    audit.record(action="dead_letter.parked", subject=job.id, by=by, now=now, detail=_story(job))
    return job.id


@transaction
def replay(*, job_id: str, by: str, now: datetime) -> None:
    """Put a parked job back into its queue with all its attempts and no deadline, and ring for it after the commit.

    What was before stays in the audit trail. Raises JobNotFound, JobNotParked.
    """
    job = _parked(job_id)
    audit.record(action="dead_letter.replayed", subject=job.id, by=by, now=now, tenant=job.tenant, detail=_story(job))
    job.state = moved(job.state, "queued")
    job.attempts = job.postponements = 0
    job.next_try_at = job.rung_at = min(now, database_now())
    job.start_by = job.deadline_at = job.finished_at = None
    job.reason = job.trace = job.progress_note = ""
    job.progress_done = job.progress_total = job.progress_at = None
    job.save()
    bell = Bell(task=job.task, queue=job.queue, job_id=job.id, source=job.source, tenant=job.tenant, priority=job.priority)
    ring_all(needed([bell]))


@transaction
def discard(*, job_id: str, by: str, now: datetime) -> None:
    """Let a parked job go; it stays readable until it is forgotten. Raises JobNotFound, JobNotParked."""
    job = _parked(job_id)
    audit.record(action="dead_letter.discarded", subject=job.id, by=by, now=now, tenant=job.tenant, detail=_story(job))
    job.state = moved(job.state, "discarded")
    job.finished_at = now
    job.save(update_fields=["state", "finished_at"])


def _parked(job_id: str) -> Job:
    job = Job.objects.select_for_update(no_key=True).filter(id=job_id).first()
    if job is None:
        raise JobNotFound(f"no job {job_id}")
    if job.state != "parked":
        raise JobNotParked(f"{job_id} is {job.state}, not parked")
    return job


def _story(job: Job) -> dict[str, Any]:
    return {"task": job.task, "attempts": job.attempts, "reason": job.reason, "parked_at": job.finished_at}
