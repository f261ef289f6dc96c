"""News of a worker that was killed: its job need not wait until the lease has run out."""

from __future__ import annotations

from datetime import datetime

from apps.core.db import transaction
from apps.core.errors import DeskError
from apps.jobs.models import Job
from apps.jobs.services.ending import fail
from apps.jobs.types import ClaimedJob, JobState

COLUMNS = (
    "id", "task", "kwargs", "queue", "tenant", "source", "attempts", "attempts_max", "postponements", "deadline_at", "schedule",
    "slot_at",
)  # fmt: skip


class WorkerLost(DeskError):
    """The process that worked on the job was killed, by a signal or by its time limit."""

    code = "worker-lost"
    category = "queue"


@transaction
def lose(*, job_id: str, owner: str, reason: str, now: datetime | None = None) -> JobState | None:
    """End the attempt of a job whose worker `owner` was killed, and return what became of the job: queued, or parked.

    Nothing happens when it is not that worker's any more.
    """
    held = Job.objects.select_for_update(no_key=True).filter(id=job_id, state="running", lease_owner=owner)
    row = held.values("fencing_token", *COLUMNS).first()
    if row is None:
        return None
    claim = ClaimedJob(token=row.pop("fencing_token"), **row)
    return fail(claim=claim, error=WorkerLost(reason), now=now)
