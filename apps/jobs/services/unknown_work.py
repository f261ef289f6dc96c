"""Work that nobody can take: its task or its queue is not there. It is parked for a person instead of being rung for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from apps.core.db import transaction_required
from apps.jobs.batching import is_known, is_queue
from apps.jobs.lost_bells import Waiting
from apps.jobs.services.superseding import keep_newest_parked

# A deployment may bring workers that know more than this process does: so long they have to take it.
UNKNOWN_AFTER = timedelta(minutes=15)
PARK = """
    UPDATE jobs_job SET state = 'parked', reason = %(reason)s, finished_at = %(now)s
    WHERE id = ANY(ARRAY(
        SELECT id FROM jobs_job
        WHERE state = 'queued' AND queue = %(queue)s AND task = %(task)s AND next_try_at <= %(before)s
        LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING schedule
"""


@transaction_required
def park_unknown(*, groups: Sequence[Waiting], now: datetime, limit: int) -> int:
    """Park those of the waiting jobs that nobody could take for a quarter of an hour, and return how many; `limit` of a kind."""
    kinds = {(group.queue, group.task) for group in groups if not is_queue(group.queue) or not is_known(group.task)}
    parked: list[str] = []
    for queue, task in sorted(kinds):
        reason = f"no worker knows the task {task}" if is_queue(queue) else f"there is no queue {queue}"
        values: dict[str, Any] = {
            "queue": queue,
            "task": task,
            "reason": reason,
            "now": now,
            "before": now - UNKNOWN_AFTER,
            "limit": limit,
        }
        with connection.cursor() as cursor:
            cursor.execute(PARK, values)
            parked += [schedule for (schedule,) in cursor.fetchall()]
    keep_newest_parked(schedules=parked)
    return len(parked)
