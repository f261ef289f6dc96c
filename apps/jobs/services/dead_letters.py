"""Parked work: sent back into its queue, or let go. What a person decides is audited."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.audit import services as audit
from apps.core.bell import Bell, ring_all
from apps.core.database_clock import database_now
from apps.core.db import transaction
from apps.jobs.batching import needed
from apps.jobs.errors import JobNotFound, JobNotParked
from apps.jobs.models import Job
from apps.jobs.states import moved


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
