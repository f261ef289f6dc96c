"""Reading the queue: what waits, what runs, what is parked, and how the schedules do. One statement each, by an index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from django.db import connection
from django.db.models import QuerySet

from apps.core.database_clock import NOW
from apps.jobs.definitions import Definition, Unusable, read_definitions
from apps.jobs.errors import JobNotFound, JobNotParked
from apps.jobs.figures import DeadLetter, QueueDepth, QueueTimes, RunningJob, ScheduleStanding, SlotRecord
from apps.jobs.misfires import alert_after
from apps.jobs.models import Job, Schedule
from apps.jobs.slots import Rhythm, next_slots
from apps.jobs.types import JobState

QUANTILES = (0.5, 0.95)
# Quantiles of more rows would tell the same and cost more.
NEWEST_MAX = 2_000
NEXT_RUNS = 3
LETTER = (
    "id", "task", "kwargs", "queue", "source", "tenant", "schedule", "slot_at", "state", "reason", "attempts", "made_at",
    "made_by", "finished_at",
)  # fmt: skip

# Each state is asked for by the partial index that holds just its rows.
DEPTHS = """
    SELECT queue, count(*) FILTER (WHERE next_try_at <= %(now)s), count(*) FILTER (WHERE next_try_at > %(now)s),
           0, 0, min(next_try_at) FILTER (WHERE next_try_at <= %(now)s)
    FROM jobs_job WHERE state = 'queued' GROUP BY queue
    UNION ALL SELECT queue, 0, 0, count(*), 0, NULL FROM jobs_job WHERE state = 'running' GROUP BY queue
    UNION ALL SELECT queue, 0, 0, 0, count(*), NULL FROM jobs_job WHERE state = 'parked' GROUP BY queue
"""
# Work of a source waits at that source's pace, and work whose scope is busy for its turn: both rightly.
OLDEST_WAITS = f"""
    SELECT queue, extract(epoch FROM {NOW} - min(next_try_at))::float8
    FROM jobs_job AS waits WHERE state = 'queued' AND next_try_at <= {NOW} AND source = '' AND NOT EXISTS (
        SELECT FROM jobs_job AS other WHERE other.scope = waits.scope AND other.scope <> '' AND other.state = 'running')
    GROUP BY queue ORDER BY queue
"""
TIMES = """
    WITH newest AS (
        SELECT queue, extract(epoch FROM started_at - next_try_at)::float8 AS wait_s,
               extract(epoch FROM finished_at - started_at)::float8 AS run_s
        FROM jobs_job WHERE state = 'done' AND finished_at >= %(since)s
        ORDER BY finished_at DESC LIMIT %(newest)s
    ),
    quantiles AS (
        SELECT queue, count(*) AS looked_at,
               percentile_cont(%(quantiles)s::float8[]) WITHIN GROUP (ORDER BY GREATEST(wait_s, 0)) AS waits,
               percentile_cont(%(quantiles)s::float8[]) WITHIN GROUP (ORDER BY run_s) AS runs
        FROM newest GROUP BY queue
    ),
    ended AS (SELECT queue, count(*) AS done FROM jobs_job WHERE state = 'done' AND finished_at >= %(since)s GROUP BY queue)
    SELECT queue, done, COALESCE(looked_at, 0), waits, runs FROM ended LEFT JOIN quantiles USING (queue) ORDER BY queue
"""
# A message is wanted by a job that waits and was rung for: one that is to be tried again later gets a message then.
AWAITED = """
    {job}.state = 'queued' AND {job}.rung_at IS NOT NULL AND {job}.attempts < {job}.attempts_max
    AND ({job}.deadline_at IS NULL OR {job}.deadline_at > statement_timestamp())
    AND ({job}.start_by IS NULL OR {job}.start_by >= statement_timestamp() OR {job}.attempts > 0)
"""
# Each job is looked up by its id, whatever the planner thinks how few are queued. `schedule <> ''` says what the index of
# slots holds.
WAKES = f"""
    SELECT asked.id, CASE WHEN {AWAITED.format(job="asked")} THEN asked.id ELSE newest.id END
    FROM unnest(%(ids)s::text[]) AS named (id),
        LATERAL (SELECT * FROM jobs_job WHERE jobs_job.id = named.id LIMIT 1) AS asked
    LEFT JOIN LATERAL (
        SELECT * FROM jobs_job AS slot
        WHERE asked.state = 'skipped' AND slot.schedule = asked.schedule AND slot.schedule <> '' ORDER BY slot_at DESC LIMIT 1
    ) AS newest ON {AWAITED.format(job="newest")}
        AND (newest.task, newest.queue, newest.source, newest.tenant) = (asked.task, asked.queue, asked.source, asked.tenant)
    WHERE newest.id IS NOT NULL OR {AWAITED.format(job="asked")}
"""


def whom_to_wake(*, job_ids: Sequence[str]) -> dict[str, str]:
    """Return which job the message of each of these is to wake, by the database's clock.

    That is the job itself while it waits; of one that was skipped, the newest job of its schedule if that waits for the
    same work. Jobs whose message nobody wants are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(WAKES, {"ids": list(job_ids)})
        return dict(cursor.fetchall())


def queue_depths(*, now: datetime) -> dict[str, QueueDepth]:
    """Return how many rows wait, run and are parked, by queue; a queue without any is left out."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: dict.fromkeys(("waiting", "later", "running", "parked"), 0))
    with connection.cursor() as cursor:
        cursor.execute(DEPTHS, {"now": now})
        rows = cursor.fetchall()
    for queue, waiting, later, running, parked, due_at in rows:
        counts = found[queue]
        for name, count in (("waiting", waiting), ("later", later), ("running", running), ("parked", parked)):
            counts[name] += count
        if due_at is not None:
            counts["oldest_wait_s"] = (now - due_at).total_seconds()
    return {queue: QueueDepth(queue=queue, **counts) for queue, counts in sorted(found.items())}


def oldest_waits_s(*, now: datetime | None = None) -> dict[str, float]:
    """Return for how many seconds the job that was due first waits for a worker, by queue, by the database's clock.

    Left out is what waits rightly: for the pace of its source, or for another job of its scope.
    """
    with connection.cursor() as cursor:
        cursor.execute(OLDEST_WAITS, {"now": now})
        return dict(cursor.fetchall())


def queue_times(*, since: datetime) -> dict[str, QueueTimes]:
    """Return how many jobs of each queue were done since then, with quantiles of their waits and runs in seconds."""
    with connection.cursor() as cursor:
        cursor.execute(TIMES, {"since": since, "newest": NEWEST_MAX, "quantiles": list(QUANTILES)})
        rows = cursor.fetchall()
    return {
        queue: QueueTimes(queue=queue, done=done, looked_at=looked_at, wait_s=_by_quantile(waits), run_s=_by_quantile(runs))
        for queue, done, looked_at, waits, runs in rows
    }


def running_jobs(*, now: datetime, limit: int) -> tuple[RunningJob, ...]:
    """Return the jobs that somebody works on, those that began first before the others."""
    rows = Job.objects.filter(state="running").defer("trace").order_by("started_at", "id")[:limit]
    return tuple(_running(row, now=now) for row in rows)


def parked_count() -> int:
    """Return how many dead letters wait for a person."""
    return Job.objects.filter(state="parked").count()


def dead_letters(*, limit: int, with_trace: bool = False) -> tuple[DeadLetter, ...]:
    """Return the dead letters that wait for a person, newest first; their traces only on demand, for whoever may see them."""
    rows = Job.objects.filter(state="parked").order_by("-finished_at", "-id")
    return tuple(_dead_letter(row, with_trace=with_trace) for row in (rows if with_trace else rows.defer("trace"))[:limit])


def dead_letter(*, job_id: str) -> DeadLetter:
    """Return the dead letter with this id, without its trace. Raises JobNotFound, JobNotParked."""
    row = Job.objects.filter(id=job_id).defer("trace").first()
    if row is None:
        raise JobNotFound(f"no job {job_id}")
    if row.state != "parked":
        raise JobNotParked(f"{job_id} is {row.state}, not parked")
    return _dead_letter(row, with_trace=False)


def dead_letters_table(*, with_trace: bool = False) -> QuerySet[Job, Any]:
    """Return the rows of dead letters, those that were discarded too, for lists to filter."""
    rows = Job.objects.filter(state__in=("parked", "discarded")).order_by("-finished_at", "-id")
    shown: QuerySet[Job, Any] = rows.values(*LETTER, "trace") if with_trace else rows.values(*LETTER)
    return shown


def schedule_standings(*, now: datetime, next_runs: int = NEXT_RUNS) -> tuple[ScheduleStanding, ...]:
    """Return every schedule that is on, in the order of their names, with its next slots and whether it is overdue.

    A schedule that never succeeded is silent since it was made, changed, or switched on.
    """
    definitions = read_definitions()
    rows = {row.name: row for row in Schedule.objects.all()}
    usable = [_standing(of, rows.get(of.name) or Schedule(name=of.name), now, next_runs) for of in definitions.usable]
    faulty = [_faulty(of, rows.get(of.name) or Schedule(name=of.name), now) for of in definitions.unusable]
    return tuple(sorted(usable + faulty, key=lambda standing: standing.name))


def schedule_history(*, name: str, limit: int) -> tuple[SlotRecord, ...]:
    """Return what became of the newest slots of a schedule, the newest first."""
    rows = Job.objects.filter(schedule=name).exclude(schedule="").order_by("-slot_at")[:limit]
    return tuple(
        SlotRecord(
            job_id=row.id,
            slot_at=cast(datetime, row.slot_at),  # the rows of a schedule have one
            state=cast(JobState, row.state),
            lateness_s=_seconds_between(row.slot_at, row.started_at),
            run_s=_seconds_between(row.started_at, row.finished_at),
            reason=row.reason,
        )
        for row in rows.defer("trace", "kwargs")
    )


def _by_quantile(values: list[float] | None) -> dict[float, float]:
    return dict(zip(QUANTILES, values or (), strict=False))


def _seconds_between(earlier: datetime | None, later: datetime | None) -> float | None:
    return None if earlier is None or later is None else (later - earlier).total_seconds()


def _running(row: Job, *, now: datetime) -> RunningJob:
    return RunningJob(
        id=row.id,
        task=row.task,
        queue=row.queue,
        kwargs=row.kwargs,
        worker=row.lease_owner,
        attempts=row.attempts,
        attempts_max=row.attempts_max,
        run_s=max(0.0, _seconds_between(row.started_at, now) or 0.0),
        done=row.progress_done,
        total=row.progress_total,
        note=row.progress_note,
    )


def _dead_letter(row: Job, *, with_trace: bool) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        task=row.task,
        queue=row.queue,
        kwargs=row.kwargs,
        source=row.source,
        tenant=row.tenant,
        schedule=row.schedule,
        reason=row.reason,
        attempts=row.attempts,
        made_at=row.made_at,
        parked_at=row.finished_at or row.made_at,
        trace=row.trace if with_trace else "",
    )


@lru_cache(maxsize=512)
def _usual_alert_s(rhythm: Rhythm, day: datetime) -> float | None:
    """Return after how long a rhythm is overdue; walking through a crontab's coming slots once a day is enough."""
    after = alert_after(rhythm, at=day)
    return None if after is None else after.total_seconds()


def _standing(of: Definition, row: Schedule, now: datetime, next_runs: int) -> ScheduleStanding:
    usual_s = _usual_alert_s(of.rhythm, now.replace(hour=0, minute=0, second=0, microsecond=0))
    coming = (slot for slot in next_slots(of.rhythm, of.opened(now), next_runs) if of.ends_at is None or slot < of.ends_at)
    since = max(moment for moment in (row.last_success_at, of.known_since, of.starts_at) if moment is not None)
    return ScheduleStanding(
        name=of.name,
        task=of.task,
        misfire=row.misfire,
        grace_s=row.grace_s,
        alert_after_s=usual_s if row.alert_after_s is None else float(row.alert_after_s),
        last_success_at=row.last_success_at,
        success_age_s=_seconds_between(row.last_success_at, now),
        last_slot_at=row.last_slot_at,
        last_lateness_s=row.last_lateness_s,
        silent_s=max(0.0, (now - since).total_seconds()),
        next_at=tuple(coming),
    )


def _faulty(of: Unusable, row: Schedule, now: datetime) -> ScheduleStanding:
    return ScheduleStanding(
        name=of.name,
        task=of.task,
        misfire=row.misfire,
        grace_s=row.grace_s,
        last_success_at=row.last_success_at,
        success_age_s=_seconds_between(row.last_success_at, now),
        last_slot_at=row.last_slot_at,
        last_lateness_s=row.last_lateness_s,
        fault=of.reason,
    )
