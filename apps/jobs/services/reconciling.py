"""The caretaker's look: jobs of silent workers are taken back, jobs out of time are ended, lost bells are rung again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from apps.core.bell import Bell, ring_all
from apps.core.database_clock import database_now
from apps.core.db import durable, only_one, transaction
from apps.jobs.batching import batch_tasks, is_batch, is_queue
from apps.jobs.lost_bells import PATIENCE, Waiting, may_be_overtaken, silent_batches, silent_singles
from apps.jobs.services.superseding import keep_newest_parked
from apps.jobs.services.taking_turns import HAS_ITS_TURN
from apps.jobs.services.unknown_work import park_unknown
from apps.jobs.states import ATTEMPTS_USED_UP, DEADLINE_PASSED, TOO_LATE, WORKER_LOST
from apps.jobs.types import Reconciled

# One look writes and rings so many rows at most; the next look goes on.
ROWS_MAX = 1_000
# Of the jobs that were done in the last two looks so many are asked when they were made.
RECENT = timedelta(seconds=2)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
BEGUN_MAX = 10_000

# What is taken back keeps the moment since which it is due, and so its place among the others.
FREE = f"""
    UPDATE jobs_job SET
        state = CASE WHEN is_over THEN 'parked' ELSE 'queued' END,
        finished_at = CASE WHEN is_over THEN %(now)s END,
        reason = CASE WHEN is_out_of_time THEN '{DEADLINE_PASSED}: ' WHEN is_over THEN '{ATTEMPTS_USED_UP}: ' ELSE '' END
                 || '{WORKER_LOST} (' || lease_owner || ')',
        rung_at = NULL, lease_owner = '', lease_until = NULL
    FROM (
        SELECT id AS silent_id, COALESCE(deadline_at <= %(now)s, FALSE) AS is_out_of_time,
               attempts >= attempts_max OR COALESCE(deadline_at <= %(now)s, FALSE) AS is_over
        FROM jobs_job WHERE state = 'running' AND lease_until <= %(now)s
        ORDER BY lease_until LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
    ) AS silent
    WHERE id = silent_id
    RETURNING state, schedule
"""
END_OUT_OF_TIME = f"""
    UPDATE jobs_job SET
        state = CASE WHEN deadline_at <= %(now)s THEN 'parked' ELSE 'skipped' END,
        reason = CASE WHEN deadline_at <= %(now)s THEN '{DEADLINE_PASSED}' ELSE '{TOO_LATE}' END,
        finished_at = %(now)s
    WHERE id = ANY(ARRAY(
        SELECT id FROM jobs_job
        WHERE state = 'queued' AND (start_by IS NOT NULL OR deadline_at IS NOT NULL) AND LEAST(start_by, deadline_at) <= %(now)s
          AND (deadline_at <= %(now)s OR attempts = 0)
        ORDER BY LEAST(start_by, deadline_at) LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING state, schedule
"""
# What is due, in the order in which it is wanted. A bell counts as old after some seconds.
WAITING = f"""
    SELECT queue, task, source, count(*) FILTER (WHERE rung_at IS NULL),
           count(*) FILTER (WHERE rung_at <= %(old)s), max(rung_at),
           bool_or(attempts > 0 AND (rung_at IS NULL OR rung_at <= %(old)s)),
           count(*) FILTER (WHERE rung_at IS NULL AND attempts > 0)
    FROM jobs_job WHERE state = 'queued' AND next_try_at <= %(now)s AND {HAS_ITS_TURN}
    GROUP BY queue, task, source
"""
# Of each queue: jobs rung for so long before one that has been begun that their message, if there were one, would have been
# taken first; and the bell up to which that is so. Only a job that was rung for once, when it was made, tells when the
# message came that was taken for it.
OVERTAKEN = f"""
    WITH begun AS (
        SELECT queue, max(made_at) - %(patience)s AS until FROM (
            SELECT queue, task, source, made_at, rung_at, attempts, postponements FROM jobs_job WHERE state = 'running'
            UNION ALL
            (SELECT queue, task, source, made_at, rung_at, attempts, postponements FROM jobs_job
             WHERE state = 'done' AND finished_at > %(recent)s ORDER BY finished_at DESC LIMIT %(limit)s)
        ) AS taken
        WHERE rung_at = made_at AND attempts = 1 AND postponements = 0 AND source = '' AND task <> ALL(%(batch_tasks)s)
        GROUP BY queue
    )
    SELECT queue, until, count(*) FROM begun JOIN jobs_job USING (queue)
    WHERE state = 'queued' AND next_try_at <= %(now)s AND rung_at <= LEAST(until, %(old)s) AND source = ''
      AND task <> ALL(%(batch_tasks)s) AND {HAS_ITS_TURN}
    GROUP BY queue, until
"""
# Of each queue: jobs whose message a broker that was found empty has lost.
FORGOTTEN = f"""
    SELECT queue, count(*) FROM jobs_job
    WHERE state = 'queued' AND next_try_at <= %(now)s AND rung_at <= %(forgotten_until)s AND source = ''
      AND task <> ALL(%(batch_tasks)s) AND {HAS_ITS_TURN}
    GROUP BY queue
"""
# Of paced sources only their own jobs; else all but theirs. Those that were never rung for come first, then the overtaken,
# which go before all others in the queue: they have waited there already.
RING_SINGLES = f"""
    UPDATE jobs_job SET rung_at = %(now)s
    FROM (
        SELECT id AS silent_id, attempts > 0 OR is_overtaken AS goes_first
        FROM jobs_job, LATERAL (SELECT COALESCE(source = '' AND rung_at <= %(overtaken_until)s, FALSE) AS is_overtaken) AS place
        WHERE state = 'queued' AND queue = %(queue)s AND next_try_at <= %(now)s AND (rung_at IS NULL OR rung_at <= %(old)s)
          AND task <> ALL(%(batch_tasks)s) AND {HAS_ITS_TURN}
          AND CASE WHEN %(source)s::text IS NULL THEN source <> ALL(%(paced)s) ELSE source = %(source)s::text END
        ORDER BY rung_at IS NOT NULL, NOT is_overtaken, priority DESC, next_try_at
        LIMIT %(count)s FOR NO KEY UPDATE OF jobs_job SKIP LOCKED
    ) AS silent
    WHERE id = silent_id
    RETURNING id, task, queue, source, tenant, priority, goes_first, next_try_at
"""
RUNG = ("job_id", "task", "queue", "source", "tenant", "priority", "goes_first")
# The rows that are claimed last, of the fresh and of the tried, remember when the bell was rung while they wait.
RING_BATCH = """
    UPDATE jobs_job SET rung_at = %(now)s WHERE id = ANY(ARRAY(
        (SELECT id FROM jobs_job WHERE task = %(task)s AND state = 'queued' AND attempts = 0 AND next_try_at <= %(now)s
         ORDER BY next_try_at DESC LIMIT 1)
        UNION ALL
        (SELECT id FROM jobs_job WHERE task = %(task)s AND state = 'queued' AND attempts > 0 AND next_try_at <= %(now)s
         ORDER BY attempts DESC, next_try_at DESC LIMIT 1)
        UNION ALL
        (SELECT id FROM jobs_job WHERE task = %(task)s AND state = 'queued' AND next_try_at <= %(now)s AND rung_at IS NULL
         LIMIT %(limit)s)))
    AND state = 'queued'
    RETURNING id
"""


@durable
def reconcile(
    *,
    depths: Mapping[str, int],
    now: datetime | None = None,
    paced: Mapping[str, int] | None = None,
    forgotten_until: datetime | None = None,
) -> Reconciled:
    """Take back what silent workers hold, end what is out of time, ring again for what lost its bell; return the counts.

    `depths` are the messages in each queue, `paced` those that wait outside it for a slot of their source. Of the bells rung
    until `forgotten_until` none is left, once that moment has come: the broker was found empty. One caretaker looks at a time
    in the cluster; another leaves at once with zeros. Each look is bounded, the next one goes on.
    """
    with only_one("jobs.reconcile") as is_ours:
        if not is_ours:
            return Reconciled()
        now = now or database_now()
        freed, lost = _moved(FREE, now)
        skipped, ended = _moved(END_OUT_OF_TIME, now)
        forgotten_until = forgotten_until if forgotten_until and forgotten_until <= now else None
        rung, unknown = _ring_again(depths=depths, paced=paced or {}, now=now, forgotten_until=forgotten_until)
    return Reconciled(
        rerung=rung,
        freed=freed,
        parked=lost + ended + unknown,
        skipped=skipped,
        has_rung_all=forgotten_until is not None and rung < ROWS_MAX,
    )


@transaction
def _moved(statement: str, now: datetime) -> tuple[int, int]:
    """Run the statement and return how many rows went elsewhere and how many were parked."""
    moved = _rows(statement, {"now": now, "limit": ROWS_MAX})
    parked = [schedule for state, schedule in moved if state == "parked"]
    keep_newest_parked(schedules=parked)
    return len(moved) - len(parked), len(parked)


@transaction
def _ring_again(
    *, depths: Mapping[str, int], paced: Mapping[str, int], now: datetime, forgotten_until: datetime | None
) -> tuple[int, int]:
    """Ring, and return for how many, and how many were parked because nobody could take them.

    What was tried before goes first, or each try would wait behind the whole queue.
    """
    old = max(now - PATIENCE, forgotten_until or LONG_AGO)
    values = {"now": now, "old": old, "paced": list(paced), "batch_tasks": batch_tasks(), "forgotten_until": forgotten_until}
    found = [_group(row) for row in _rows(WAITING, values)]
    parked = park_unknown(groups=found, now=now, limit=ROWS_MAX)
    groups = [group for group in found if is_queue(group.queue)]
    bells: list[Bell] = []
    for batch in silent_batches(groups, old_until=old, is_forgotten=forgotten_until is not None):
        _rows(RING_BATCH, {"now": now, "task": batch.task, "limit": ROWS_MAX})
        bells += [Bell(task=batch.task, queue=batch.queue, goes_first=batch.goes_first)] * batch.bells
    overtaken = _without_message(groups, values, depths)
    counts = {queue: count for queue, (_, count) in overtaken.items()}
    for wish in silent_singles(groups, depths=depths, paced=paced, overtaken=counts, rows_max=ROWS_MAX):
        until, _ = overtaken.get(wish.queue, (None, 0))
        which = {"queue": wish.queue, "source": wish.source, "count": wish.count, "overtaken_until": until}
        bells += _bells(_rows(RING_SINGLES, values | which))
    ring_all(sorted(bells, key=lambda bell: not bell.goes_first))
    return len(bells), parked


def _without_message(
    groups: Sequence[Waiting], values: Mapping[str, Any], depths: Mapping[str, int]
) -> dict[str, tuple[datetime, int]]:
    """Return, for each queue, the bell up to which no message can be there any more, and how many jobs that makes."""
    if values["forgotten_until"]:
        return {queue: (values["forgotten_until"], count) for queue, count in _rows(FORGOTTEN, values)}
    return _overtaken(values) if may_be_overtaken(groups, depths=depths) else {}


def _bells(rung: list[tuple[Any, ...]]) -> list[Bell]:
    """Return the bells of these rows in the order in which they are wanted: RETURNING keeps none."""
    bells = [(Bell(**dict(zip(RUNG, values, strict=True))), due_at) for *values, due_at in rung]
    return [bell for bell, _ in sorted(bells, key=lambda entry: (-entry[0].priority, entry[1]))]


def _overtaken(values: Mapping[str, Any]) -> dict[str, tuple[datetime, int]]:
    """Return, for each queue that has overtaken jobs, the bell up to which they are, and how many there are."""
    found = _rows(OVERTAKEN, {**values, "patience": PATIENCE, "recent": values["now"] - RECENT, "limit": BEGUN_MAX})
    return {queue: (until, count) for queue, until, count in found}


def _rows(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _group(row: Sequence[Any]) -> Waiting:
    queue, task, source, unrung, stale, latest_bell_at, is_retry, unrung_tried = row
    return Waiting(
        queue=queue,
        task=task,
        source=source,
        is_batch=is_batch(task),
        unrung=unrung,
        stale=stale,
        latest_bell_at=latest_bell_at,
        is_retry=is_retry,
        unrung_tried=unrung_tried,
    )
