"""Letting go of jobs that ended long ago; parked ones wait for a person however old they are."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from apps.core.db import durable, transaction
from apps.jobs.errors import WrongJob
from apps.jobs.states import FORGETTABLE

SLICE_ROWS = 5_000
DELETE = """
    DELETE FROM jobs_job WHERE id = ANY(ARRAY(
        SELECT id FROM jobs_job WHERE state = %(state)s AND finished_at < %(before)s
        ORDER BY finished_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""


@durable
def forget(*, keep_days: float, now: datetime) -> int:
    """Delete jobs that ended more than `keep_days` ago, slice by slice, and return how many. Raises WrongJob below zero.

    With a job its key is forgotten too: the same effect could be asked for again. Slots are not: their schedule remembers.
    """
    if keep_days < 0:
        raise WrongJob("keep_days is not below zero", field="keep_days")
    before = now - timedelta(days=keep_days)
    return sum(_forget_all(state, before) for state in FORGETTABLE)


def _forget_all(state: str, before: datetime) -> int:
    total = 0
    while (gone := _forget_slice(state, before)) > 0:
        total += gone
    return total


@transaction
def _forget_slice(state: str, before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(DELETE, {"state": state, "before": before, "limit": SLICE_ROWS})
        return int(cursor.rowcount)
