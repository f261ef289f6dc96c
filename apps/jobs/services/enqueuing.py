"""Writing work down, and ringing for it once that is committed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from celery import current_app
from django.db import connection

from apps.core import ids
from apps.core.bell import Bell, ring_all
from apps.core.database_clock import NOT_AHEAD
from apps.core.db import transaction, transaction_required
from apps.jobs.arguments import as_json
from apps.jobs.batching import is_batch, needed
from apps.jobs.errors import WrongJob
from apps.jobs.models import Job
from apps.jobs.types import Enqueued, NewJob
from apps.resilience.paced import PRIORITY_MAX

LENGTHS_MAX = {"task": 120, "queue": 20, "key": 200, "scope": 200, "schedule": 200, "tenant": 40, "source": 40}
ATTEMPTS_MAX = 100

# Column and type of everything that a new row is given; what is not here has the value written in INSERT.
COLUMNS = {
    "id": "text", "task": "text", "kwargs": "jsonb", "queue": "text", "key": "text", "scope": "text", "schedule": "text",
    "slot_at": "timestamptz", "tenant": "text", "source": "text", "priority": "smallint", "attempts_max": "smallint",
    "start_by": "timestamptz", "deadline_at": "timestamptz",
}  # fmt: skip
# Arrays of text are cast one element at a time: jsonb has no array parameter of its own.
INSERT = f"""
    INSERT INTO jobs_job ({", ".join(COLUMNS)}, next_try_at, rung_at, state, attempts, postponements, lease_owner, fencing_token,
                          progress_note, made_at, made_by, reason, trace)
    SELECT {", ".join(f"{name}::{kind}" for name, kind in COLUMNS.items())},
           COALESCE(run_at::timestamptz, {NOT_AHEAD}),
           CASE WHEN run_at IS NULL OR run_at::timestamptz <= {NOT_AHEAD} THEN {NOT_AHEAD} END,
           'queued', 0, 0, '', 0, '', {NOT_AHEAD}, %(by)s, '', ''
    FROM unnest({", ".join(f"%({name})s::text[]" for name in (*COLUMNS, "run_at"))})
        WITH ORDINALITY AS new ({", ".join(COLUMNS)}, run_at, place)
    ORDER BY place
    ON CONFLICT DO NOTHING
    RETURNING id, rung_at IS NOT NULL
"""


@transaction
def enqueue(
    *,
    task: str,
    kwargs: Mapping[str, Any],
    queue: str,
    now: datetime,
    by: str,
    key: str | None = None,
    scope: str = "",
    tenant: str = "",
    source: str = "",
    run_at: datetime | None = None,
    start_by: datetime | None = None,
    deadline_at: datetime | None = None,
    attempts_max: int = 3,
    priority: int = 0,
    schedule: str = "",
    slot_at: datetime | None = None,
) -> Enqueued:
    """Write one job down and ring for it after the commit, or return the job that this `key`, or slot, made before.

    A job with `run_at` is rung for when that has come; one without is due now, by PostgreSQL's clock if the caller's is ahead
    of it. Raises WrongJob, its `field` naming what cannot be.
    """
    job = NewJob(
        task=task, kwargs=kwargs, queue=queue, key=key, scope=scope, tenant=tenant, source=source, run_at=run_at,
        start_by=start_by, deadline_at=deadline_at, attempts_max=attempts_max, priority=priority, schedule=schedule,
        slot_at=slot_at,
    )  # fmt: skip
    new_ids = insert_jobs(jobs=[job], now=now, by=by)
    return Enqueued(new_ids[0], is_new=True) if new_ids else Enqueued(_known_id(job), is_new=False)


@transaction
def enqueue_many(*, jobs: Sequence[NewJob], now: datetime, by: str) -> int:
    """Write many jobs down in one statement and return how many are new. One bell a batch task, one for every single job.

    Raises WrongJob, and then none is written.
    """
    return len(insert_jobs(jobs=jobs, now=now, by=by))


@transaction_required
def insert_jobs(*, jobs: Sequence[NewJob], now: datetime, by: str) -> list[str]:
    """Write jobs down as part of the caller's transaction, ring after its commit, and return the ids of those that are new.

    A key or a slot that is known already makes no row. Raises WrongJob.
    """
    rows = [(ids.make_id("job", at=now, entropy=ids.fresh_entropy()), job) for job in jobs]
    columns: dict[str, list[Any]] = {name: [] for name in (*COLUMNS, "run_at")}
    for job_id, job in rows:
        for name, value in _values(job_id, job).items():
            columns[name].append(value)
    _refuse_unknown(set(columns["queue"]))
    with connection.cursor() as cursor:
        cursor.execute(INSERT, {**columns, "now": now, "by": by[:120]})
        are_due = dict(cursor.fetchall())
    ring_all(needed(_bell(job_id, job) for job_id, job in rows if are_due.get(job_id)))
    return list(are_due)


def _bell(job_id: str, job: NewJob) -> Bell:
    return Bell(task=job.task, queue=job.queue, job_id=job_id, source=job.source, tenant=job.tenant, priority=job.priority)


def _values(job_id: str, job: NewJob) -> dict[str, Any]:
    _refuse_nonsense(job)
    return {
        "id": job_id, "task": job.task, "kwargs": as_json(job.kwargs), "queue": job.queue, "key": job.key, "scope": job.scope,
        "schedule": job.schedule, "slot_at": _text(job.slot_at), "tenant": job.tenant, "source": job.source,
        "priority": str(job.priority), "attempts_max": str(job.attempts_max), "run_at": _text(job.run_at),
        "start_by": _text(job.start_by), "deadline_at": _text(job.deadline_at),
    }  # fmt: skip


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _refuse_nonsense(job: NewJob) -> None:
    for name, length_max in LENGTHS_MAX.items():
        text = getattr(job, name) or ""
        if len(text) > length_max or "\x00" in text:
            raise WrongJob(f"{name} is text of at most {length_max} characters", field=name)
    if not job.task or not job.queue:
        raise WrongJob("a job names its task and its queue", field="queue" if job.task else "task")
    if bool(job.schedule) is (job.slot_at is None):
        raise WrongJob("a job of a schedule names its slot, and no other does", field="slot_at")
    if job.scope and is_batch(job.task):
        raise WrongJob("rows of a batch come many at a time: they have no scope", field="scope")
    if not 1 <= job.attempts_max <= ATTEMPTS_MAX:
        raise WrongJob(f"attempts_max is 1 to {ATTEMPTS_MAX}", field="attempts_max")
    if abs(job.priority) > PRIORITY_MAX:
        raise WrongJob(f"priority is -{PRIORITY_MAX} to {PRIORITY_MAX}", field="priority")
    for name in ("run_at", "start_by", "deadline_at", "slot_at"):
        at = getattr(job, name)
        if at is not None and at.tzinfo is None:
            raise WrongJob(f"{name} has no time zone", field=name)


def _refuse_unknown(queues: Collection[str]) -> None:
    known = current_app.amqp.queues
    for queue in queues:
        if queue not in known:
            raise WrongJob(f"there is no queue {queue}", field="queue")


def _known_id(job: NewJob) -> str:
    of_slot = {"schedule": job.schedule, "slot_at": job.slot_at}
    return Job.objects.values_list("id", flat=True).get(**({"key": job.key} if job.key else of_slot))
