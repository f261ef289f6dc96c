"""The life of a job. Pure.

                  ┌──────────── failed, put off, worker lost ────────────┐
                  v                                                      │
    (made) ──> queued ──> running ──> done                               │
                 │ │         └────────┬──────────────────────────────────┘
                 │ │                  └──> parked ──> queued (replay) | discarded
                 │ └──> parked (its deadline passed, or its attempts are used up)
                 └────> skipped (too late to begin, a tick whose work runs already, superseded)

`parked` is a dead letter: it waits for a person. `done`, `skipped` and `discarded` are ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from apps.core.claims import backoff_s, is_spent
from apps.jobs.errors import IllegalMove
from apps.jobs.types import JobState, Refusal

NEXT: Mapping[JobState, frozenset[JobState]] = {
    "queued": frozenset({"running", "skipped", "parked"}),
    "running": frozenset({"queued", "done", "parked"}),
    "parked": frozenset({"queued", "discarded"}),
    "done": frozenset(),
    "skipped": frozenset(),
    "discarded": frozenset(),
}
UNFINISHED: tuple[JobState, ...] = ("queued", "running")
FINISHED: tuple[JobState, ...] = ("done", "skipped", "parked", "discarded")
FORGETTABLE: tuple[JobState, ...] = ("done", "skipped", "discarded")

TOO_LATE = "too late"
RUNNING_ALREADY = "running already"
DEADLINE_PASSED = "its deadline passed"
ATTEMPTS_USED_UP = "its attempts are used up"
WORKER_LOST = "the worker was lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The columns of a job on which it depends whether it may be claimed."""

    state: str
    task: str
    attempts: int
    attempts_max: int
    next_try_at: datetime | None
    start_by: datetime | None
    deadline_at: datetime | None


def moved(present: str, to: JobState) -> JobState:
    """Return `to` when a job may go there from `present`. Raises IllegalMove."""
    if to not in NEXT[cast(JobState, present)]:
        raise IllegalMove(f"a job cannot go from {present} to {to}")
    return to


def refusal_of(job: Standing, *, task: str, now: datetime) -> Refusal | None:
    """Return why a worker of `task` may not claim this job now, or None when it may.

    "late" and "parked" ask for a move of the row: to skipped, and to parked.
    """
    if job.task != task:
        return "forged"
    if job.state != "queued":
        return "running" if job.state == "running" else "done"
    if is_spent(attempts=job.attempts, attempts_max=job.attempts_max) or _is_past(job.deadline_at, now):
        return "parked"
    return _refusal_of_time(job, now)


def _refusal_of_time(job: Standing, now: datetime) -> Refusal | None:
    # What has begun once may be begun again after `start_by`: it did begin by then.
    if job.start_by is not None and job.attempts == 0 and job.start_by < now:
        return "late"
    is_early = job.next_try_at is not None and job.next_try_at > now
    return "not-due" if is_early else None


def _is_past(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


def why_parked(job: Standing) -> str:
    """Return the words for a queued job that nobody may claim any more."""
    is_used_up = is_spent(attempts=job.attempts, attempts_max=job.attempts_max)
    return ATTEMPTS_USED_UP if is_used_up else DEADLINE_PASSED


def next_try(
    *, attempts: int, attempts_max: int, deadline_at: datetime | None, now: datetime, retry_after_s: float | None = None
) -> datetime | None:
    """Return when a job that failed is tried again; None when it is to be parked.

    That is when its attempts are used up or the next one would begin after its deadline. The wait doubles with every
    attempt unless the other side named one.
    """
    if is_spent(attempts=attempts, attempts_max=attempts_max):
        return None
    wait_s = backoff_s(attempts) if retry_after_s is None else max(0.0, retry_after_s)
    at = now + timedelta(seconds=wait_s)
    return None if deadline_at is not None and at >= deadline_at else at
