"""Keeping a claim: the lease, the fence before a commit, and how far the work is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import connection

from apps.core.claims import Claim
from apps.core.database_clock import NOW
from apps.core.db import transaction, transaction_required
from apps.jobs.fence import HELD, held_by, refuse_stale

NOTE_LENGTH_MAX = 200
RENEW = f"UPDATE jobs_job SET lease_until = {NOW} + %(lease_s)s * interval '1 s' WHERE {HELD}"
# Share: others may look, and whoever wants to take the job over waits until this transaction has ended.
CHECK = f"SELECT 1 FROM jobs_job WHERE {HELD} FOR SHARE"


NOTE = f"""
    UPDATE jobs_job SET progress_done = %(done)s, progress_total = %(total)s, progress_note = %(note)s, progress_at = {NOW}
    WHERE {HELD}
"""


@transaction
def renew(*, claim: Claim, now: datetime | None = None) -> None:
    """Hold the claim for another lease. Raises StaleLease when the job is not this claim's any more."""
    renew_batch(claims=[claim], now=now)


@transaction
def renew_batch(*, claims: Sequence[Claim], now: datetime | None = None) -> None:
    """Hold all these claims for another lease, or none. Raises StaleLease when one of them is stale."""
    with connection.cursor() as cursor:
        cursor.execute(RENEW, {"now": now, "lease_s": settings.JOB_LEASE_S, **held_by(claims)})
        refuse_stale(claims, cursor.rowcount)


@transaction_required
def check(*, claim: Claim) -> None:
    """Refuse the caller's transaction unless the claim still stands, and let nobody else take the job before its commit.

    Raises StaleLease.
    """
    with connection.cursor() as cursor:
        cursor.execute(CHECK, held_by([claim]))
        refuse_stale([claim], len(cursor.fetchall()))


@transaction
def note_progress(*, claim: Claim, done: int, total: int | None, note: str, now: datetime | None = None) -> None:
    """Write down how far a job is; `total` is None while nobody knows it. A job that another claim holds is left alone."""
    values = {"done": done, "total": total, "note": note[:NOTE_LENGTH_MAX], "now": now}
    with connection.cursor() as cursor:
        cursor.execute(NOTE, {**values, **held_by([claim])})
