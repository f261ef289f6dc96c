"""Running jobs: claim, keep the lease, guard every commit, and write down how it ended.

A task's body knows nothing of this: it is called with the row's arguments. What ends how:

    the body returned                          done
    an expected error (core.errors.Expected)   done, with the error's code as its reason
    Unfinished: a part is done and kept        given back, to go on in its next slot
    an error that says when to come again      put off, ten times at most, then as the next line
    any other error, a soft time limit         tried again after 2, 4, 8 … seconds, parked after the last attempt
    the lease was lost meanwhile               nothing is written: somebody else works on it
    the process died                           the caretaker takes the job back when its lease has run out
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection
from prometheus_client import Counter

from apps.core import bell, clock
from apps.core.claims import StaleLease, backoff_s
from apps.core.commands import first_line
from apps.core.db import guarded_commits, transaction
from apps.core.errors import Expected
from apps.core.keeping import keeper
from apps.core.masking import masked_text
from apps.jobs import selectors
from apps.jobs import services as jobs
from apps.jobs.errors import Unfinished
from apps.jobs.types import ClaimedJob, Refusal
from apps.resilience import PaceExceeded
from tasks.transport import count_dropped

if TYPE_CHECKING:
    from tasks.base import BatchTask, DeskTask

R = TypeVar("R")
log = structlog.get_logger(__name__)

STALE = Counter("stale_leases_total", "Runs whose lease was lost: what they still wanted to write was refused.", ["task"])
DATABASE_AWAY = (OperationalError, InterfaceError)
DATABASE_WAIT_S = 1.0
POSTPONEMENTS_MAX = 10
OWNER_LENGTH_MAX = 60


_present: ContextVar[ClaimedJob | None] = ContextVar("present_job", default=None)


def present_job() -> ClaimedJob | None:
    """Return the job whose body this is, for one that wants to know its `slot_at` or its attempts; None when no row is behind it.

    Bodies of batch tasks are given their jobs.
    """
    return _present.get()


def owner_of(request_id: str, hostname: str) -> str:
    """Return by what name a run holds its lease; it begins with what nobody can guess."""
    return f"{request_id} {hostname}"[:OWNER_LENGTH_MAX]


def run_plainly(task: DeskTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Run the body for a message that names no job; once more when the database went away under it.

    Every message may come twice, so every body bears it.
    """
    _again_if_database_left(lambda: task.run(*args, **kwargs))


def run_job(task: DeskTask, job_id: str) -> None:
    """Claim the job and work on it. Raises what the body raised when that counts as a failed attempt."""
    claim = _claimed(task, partial(_claim, task, job_id))
    if claim == "done":
        claim = _claimed(task, partial(_claim_heir, task, job_id))
    if isinstance(claim, ClaimedJob):
        _run_claimed(task, claim)
    elif claim in ("forged", "unknown"):
        count_dropped("forged", queue=str(task.name), job=job_id, refusal=claim)
    else:
        log.debug("job_refused", task=task.name, job=job_id, refusal=claim)


def run_batches(task: BatchTask) -> None:
    """Work off the due rows of a batch task, and ring again when there are more than its time allows."""
    until_s = clock.monotonic_s() + task.budget_s
    while claims := _claimed(task, partial(_claim_batch, task)):
        _run_together(task, claims)
        if clock.monotonic_s() >= until_s:
            bell.ring_batch(task=task.name, queue=claims[0].queue)
            return


def _claimed(task: DeskTask, claim: Callable[[], R]) -> R | None:
    """Claim on a session that lives; without a database there is nothing, and the caretaker rings again for what waits."""
    try:
        return _again_if_database_left(claim)
    except DATABASE_AWAY as error:
        log.warning("nothing_claimed_without_database", task=task.name, error=type(error).__name__)
        return None


def _claim(task: DeskTask, job_id: str) -> ClaimedJob | Refusal:
    return jobs.claim(job_id=job_id, task=task.name, owner=_owner(task))


def _claim_heir(task: DeskTask, job_id: str) -> ClaimedJob | Refusal:
    """Claim the job that superseded this one, if it waits: else ticks that come faster than workers would never run."""
    heir = selectors.whom_to_wake(job_ids=[job_id]).get(job_id)
    return _claim(task, heir) if heir else "done"


def _claim_batch(task: BatchTask) -> list[ClaimedJob]:
    return jobs.claim_batch(task=task.name, limit=task.batch_size, owner=_owner(task))


def _owner(task: DeskTask) -> str:
    return owner_of(str(task.request.id), str(task.request.hostname))


def _run_claimed(task: DeskTask, claim: ClaimedJob) -> None:
    try:
        with keeper.keep(partial(_renew, [claim])):
            if task.is_atomic:
                _body_and_end(task, claim)
            else:
                with guarded_commits(partial(jobs.check, claim=claim)):
                    _run_body(task, claim)
                jobs.finish(claim=claim)
    except Exception as error:
        if _ended_badly(task, claim, error):
            raise


@transaction
def _body_and_end(task: DeskTask, claim: ClaimedJob) -> None:
    _run_body(task, claim)
    jobs.finish(claim=claim)


def _run_body(task: DeskTask, claim: ClaimedJob) -> None:
    before = _present.set(claim)
    try:
        task.run(**claim.kwargs)
    finally:
        _present.reset(before)


def _run_together(task: BatchTask, claims: Sequence[ClaimedJob]) -> None:
    """Work on rows in one transaction; when that fails, on each of them in its own."""
    try:
        with keeper.keep(partial(_renew, claims)):
            _bodies_and_ends(task, claims)
    except (SoftTimeLimitExceeded, *DATABASE_AWAY) as error:
        # What was in the way is not in the rows, or cannot be told from here: each comes again, and then alone.
        have_failed = [_ended_badly(task, claim, error) for claim in claims]
        if any(have_failed):
            raise
    except Exception as error:  # noqa: BLE001 - told to its row and to the record of failures
        if len(claims) == 1:
            _tell_row(task, claims[0], error)
        else:
            log.info("batch_taken_apart", task=task.name, rows=len(claims), error=type(error).__name__)
            _run_apart(task, claims)


def _run_apart(task: BatchTask, claims: Sequence[ClaimedJob]) -> None:
    """Try each row alone, so that a bad one takes no neighbours with it; only a time limit ends it early."""
    with keeper.keep(partial(_renew_those_held, claims)):
        for claim in claims:
            try:
                _bodies_and_ends(task, [claim])
            except Exception as error:
                _tell_row(task, claim, error)
                if isinstance(error, SoftTimeLimitExceeded):
                    raise


def _tell_row(task: BatchTask, claim: ClaimedJob, error: Exception) -> None:
    if _ended_badly(task, claim, error):
        task.on_failure(error, str(task.request.id), (), {"job": claim.id}, None)


@transaction
def _bodies_and_ends(task: BatchTask, claims: Sequence[ClaimedJob]) -> None:
    task.run(jobs=claims)
    jobs.finish_batch(claims=claims)


def _renew(claims: Sequence[ClaimedJob]) -> None:
    jobs.renew_batch(claims=claims)


def _renew_those_held(claims: Sequence[ClaimedJob]) -> None:
    """Renew the leases of rows that are done one after the other: those that have ended are none of ours any more."""
    for claim in claims:
        try:
            jobs.renew(claim=claim)
        except StaleLease:
            log.debug("row_has_ended", job=claim.id)


def _ended_badly(task: DeskTask, claim: ClaimedJob, error: Exception) -> bool:
    """Write down how an attempt ended that did not return, and say whether it failed. Never raises itself."""
    _leave_broken_session(error)
    try:
        return _again_if_database_left(partial(_note_end, task, claim, error))
    except StaleLease as stale:
        _count_stale(task, stale)
    except DATABASE_AWAY as away:
        # The caretaker takes the job back when its lease has run out.
        log.warning("job_end_not_written", task=task.name, job=claim.id, error=type(away).__name__)
    return False


def _note_end(task: DeskTask, claim: ClaimedJob, error: Exception) -> bool:
    wait_s = _wait_s(claim, error)
    if isinstance(error, StaleLease):
        _count_stale(task, error)
    elif isinstance(error, Unfinished):
        log.info("job_given_back", task=task.name, job=claim.id, reason=str(error))
        jobs.give_back(claim=claim, reason=str(error))
    elif wait_s is not None:
        _put_off(task, claim, error, wait_s)
    elif isinstance(error, Expected):
        log.info("task_ended_as_expected", task=task.name, job=claim.id, code=error.code)
        jobs.finish(claim=claim, reason=error.code)
    else:
        jobs.fail(claim=claim, error=error, retry_after_s=getattr(error, "retry_after_s", None))
        return True
    return False


def _put_off(task: DeskTask, claim: ClaimedJob, error: Exception, wait_s: float) -> None:
    reason = f"{type(error).__name__}: {masked_text(first_line(error))}"
    log.info("job_put_off", task=task.name, job=claim.id, reason=reason, wait_s=wait_s)
    jobs.postpone(claim=claim, wait_s=wait_s, reason=reason)


def _wait_s(claim: ClaimedJob, error: Exception) -> float | None:
    """Return how long to put the job off, in seconds; None when this attempt counts."""
    if isinstance(error, Expected) or claim.postponements >= POSTPONEMENTS_MAX:
        return None
    if isinstance(error, DATABASE_AWAY):
        return DATABASE_WAIT_S
    named_s: float | None = getattr(error, "retry_after_s", None)
    if named_s is None and isinstance(error, PaceExceeded):
        return backoff_s(claim.postponements + 1)
    return named_s


def _count_stale(task: DeskTask, error: StaleLease) -> None:
    STALE.labels(task=task.name).inc()
    log.warning("lease_was_lost", task=task.name, reason=str(error))


def _again_if_database_left(deed: Callable[[], R]) -> R:
    """Do it, and once more on a new session when the present one was cut. Raises what the second try raises."""
    try:
        return deed()
    except DATABASE_AWAY as error:
        if connection.in_atomic_block or (connection.connection is not None and connection.is_usable()):
            raise  # the server is there: a lock that was not given, a statement that took too long
        log.info("database_left", error=type(error).__name__)
        connection.close()
        return deed()


def _leave_broken_session(error: Exception) -> None:
    """Close the session when the error may have struck in the middle of a query; the next statement opens another."""
    if isinstance(error, (SoftTimeLimitExceeded, *DATABASE_AWAY)) and not connection.in_atomic_block:
        connection.close()
