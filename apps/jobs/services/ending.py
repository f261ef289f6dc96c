"""Ending a claim: the job is done, failed, or put off. Whoever holds a stale token is refused, and nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from apps.core.claims import Claim
from apps.core.commands import first_line
from apps.core.database_clock import NOW, database_now
from apps.core.db import transaction, transaction_required
from apps.core.masking import masked_text, masked_trace
from apps.jobs.fence import HELD, held_by, refuse_stale
from apps.jobs.models import Schedule
from apps.jobs.services.superseding import keep_newest_parked
from apps.jobs.services.taking_turns import ring_next
from apps.jobs.states import next_try
from apps.jobs.types import ClaimedJob, JobState

REASON_LENGTH_MAX = 300
LET_GO = "lease_owner = '', lease_until = NULL"
FINISH = f"""
    UPDATE jobs_job SET state = 'done', finished_at = {NOW}, reason = %(reason)s, trace = '', {LET_GO}
    WHERE {HELD} RETURNING schedule, slot_at, started_at, finished_at, scope
"""
MOVE = f"""
    UPDATE jobs_job SET state = %(state)s, next_try_at = %(next_try_at)s, finished_at = %(finished_at)s, reason = %(reason)s,
        trace = %(trace)s, attempts = attempts - %(returned)s, postponements = postponements + %(returned)s,
        rung_at = NULL, {LET_GO}
    WHERE {HELD} RETURNING scope
"""


@transaction
def finish(*, claim: Claim, now: datetime | None = None, reason: str = "") -> None:
    """End a job well; `reason` says what there is to say, such as the code of an expected refusal. Raises StaleLease."""
    _finish([claim], reason=reason, now=now)


@transaction_required
def finish_batch(*, claims: Sequence[Claim], now: datetime | None = None) -> None:
    """End all these jobs well, in one statement, with the effects of the caller's transaction.

    Raises StaleLease when one of them is stale: then the transaction must not commit.
    """
    _finish(claims, reason="", now=now)


@transaction
def fail(*, claim: ClaimedJob, error: BaseException, now: datetime | None = None, retry_after_s: float | None = None) -> JobState:
    """End an attempt that failed and return what became of the job: queued for another one, or parked.

    It is tried again after 2, 4, 8 … seconds, or after `retry_after_s`; it is parked once its attempts are used up or the
    next one would miss its deadline. Of the parked jobs of a schedule only the newest waits for a person, older ones are
    discarded. The traceback is kept without passwords. Raises StaleLease.
    """
    now = now or database_now()
    at = next_try(
        attempts=claim.attempts,
        attempts_max=claim.attempts_max,
        deadline_at=claim.deadline_at,
        now=now,
        retry_after_s=retry_after_s,
    )
    state: JobState = "queued" if at else "parked"
    reason = masked_text(f"{type(error).__name__}: {first_line(error)}")[:REASON_LENGTH_MAX]
    _move(claim, state=state, next_try_at=at, finished_at=None if at else now, reason=reason, trace=masked_trace(error), now=now)
    if state == "parked":
        keep_newest_parked(schedules=[claim.schedule])
    return state


@transaction
def postpone(*, claim: Claim, wait_s: float, now: datetime | None = None, reason: str = "") -> None:
    """Put a job off by so many seconds, without counting this as an attempt. Raises StaleLease."""
    now = now or database_now()
    at = now + timedelta(seconds=max(0.0, wait_s))
    reason = reason[:REASON_LENGTH_MAX]
    _move(claim, state="queued", next_try_at=at, finished_at=None, reason=reason, trace="", returned=1, now=now)


def _move(claim: Claim, *, now: datetime, returned: int = 0, **changes: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MOVE, {"returned": returned, **changes, **held_by([claim])})
        scopes = [scope for (scope,) in cursor.fetchall()]
    refuse_stale([claim], len(scopes))
    ring_next(scopes=scopes, now=now)


def _finish(claims: Sequence[Claim], *, reason: str, now: datetime | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FINISH, {"now": now, "reason": reason[:REASON_LENGTH_MAX], **held_by(claims)})
        ended = cursor.fetchall()
    refuse_stale(claims, len(ended))
    ring_next(scopes=[scope for *_, scope in ended], now=now)
    for schedule, slot_at, started_at, finished_at, _ in ended:
        if schedule:
            _note_success(schedule, slot_at=slot_at, lateness_s=(started_at - slot_at).total_seconds(), now=finished_at)


def _note_success(schedule: str, *, slot_at: datetime, lateness_s: float, now: datetime) -> None:
    Schedule.objects.filter(name=schedule).update(last_success_at=now, last_slot_at=slot_at, last_lateness_s=lateness_s)
