"""How a claim ends: done, failed, put off; and the fence that keeps a stale worker from committing anything."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.db import transaction as django_transaction

from apps.audit.models import Event
from apps.core.claims import Claim, StaleLease
from apps.core.db import OutsideTransaction, guarded_commits, transaction
from apps.jobs import services as jobs
from apps.jobs.models import Job, Schedule
from tests.integration.jobs.jobs_world import (
    BATCH,
    NOW,
    after,
    at_once,
    claim,
    claim_batch,
    enqueue,
    enqueue_batch,
    fail_until_parked,
    row,
    states,
)  # fmt: skip

REFUSALS = {
    "finish": lambda held: jobs.finish(claim=held, now=after(30)),
    "fail": lambda held: jobs.fail(claim=held, error=ValueError("late news"), now=after(30)),
    "postpone": lambda held: jobs.postpone(claim=held, wait_s=30, now=after(30)),
    "renew": lambda held: jobs.renew(claim=held, now=after(30)),
}


@transaction
def effect(name: str) -> None:
    """Do something in the database that can be counted."""
    Schedule.objects.create(name=name)


def effects() -> int:
    return Schedule.objects.count()


def taken_over(held: Claim) -> None:
    """Let the lease run out and another worker claim the job."""
    jobs.reconcile(depths={}, now=after(16))
    assert claim(held.id, now=after(16), owner="worker-2").token == held.token + 1


def test_a_finished_job_is_done_and_let_go(db, bells):
    held = claim(enqueue())
    jobs.finish(claim=held, now=after(3), reason="source-paused")
    job = row(held.id)
    assert (job.state, job.finished_at, job.reason) == ("done", after(3), "source-paused")
    assert (job.lease_owner, job.lease_until, job.fencing_token) == ("", None, 1)


def test_a_success_is_noted_at_its_schedule(db, bells):
    Schedule.objects.create(name="seal")
    held = claim(enqueue(schedule="seal", slot_at=NOW), now=after(2))
    jobs.finish(claim=held, now=after(5))
    schedule = Schedule.objects.get()
    assert (schedule.last_success_at, schedule.last_slot_at, schedule.last_lateness_s) == (after(5), NOW, 2.0)


def test_a_failure_waits_for_its_next_try_and_keeps_what_happened(db, bells):
    held = claim(enqueue())
    with pytest.raises(ValueError, match="full") as failure:
        raise ValueError("postgres://desk:hunter2@db/x is full")
    assert jobs.fail(claim=held, error=failure.value, now=NOW) == "queued"
    job = row(held.id)
    assert (job.state, job.next_try_at, job.rung_at, job.attempts, job.finished_at) == ("queued", after(2), None, 1, None)
    assert job.reason == "ValueError: postgres://desk:***@db/x is full"
    assert "test_ending.py" in job.trace
    assert "hunter2" not in job.trace


def test_the_third_failure_parks(db, bells):
    job_id = enqueue()
    fail_until_parked(job_id)
    job = row(job_id)
    assert (job.attempts, job.finished_at, job.lease_until, job.reason) == (3, after(200), None, "ValueError: no luck")
    assert "ValueError: no luck" in job.trace


def test_a_failure_without_time_for_another_try_parks_at_once(db, bells):
    held = claim(enqueue(deadline_at=after(10)))
    assert jobs.fail(claim=held, error=ValueError("x"), now=after(9)) == "parked"
    assert row(held.id).attempts == 1


def test_a_failure_comes_again_when_the_other_side_says(db, bells):
    held = claim(enqueue())
    jobs.fail(claim=held, error=ValueError("x"), now=NOW, retry_after_s=60)
    assert row(held.id).next_try_at == after(60)


def test_a_job_that_is_put_off_has_all_its_attempts_still(db, bells):
    job_id = enqueue()
    for round_ in range(5):
        at = after(10 * round_)
        jobs.postpone(claim=claim(job_id, now=at), wait_s=10, now=at, reason="pace")
    job = row(job_id)
    assert (job.state, job.attempts, job.postponements, job.next_try_at, job.reason) == ("queued", 0, 5, after(50), "pace")
    assert claim(job_id, now=after(50)).postponements == 5


def test_progress_is_noted_while_the_job_runs_and_not_afterwards(db, bells):
    held = claim(enqueue())
    jobs.note_progress(claim=held, done=3, total=10, note="x" * 300, now=after(1))
    job = row(held.id)
    assert (job.progress_done, job.progress_total, job.progress_note, job.progress_at) == (3, 10, "x" * 200, after(1))
    jobs.finish(claim=held, now=after(2))
    jobs.note_progress(claim=held, done=4, total=None, note="", now=after(3))
    assert row(held.id).progress_done == 3


@pytest.mark.parametrize("deed", sorted(REFUSALS))
def test_a_stale_claim_ends_nothing(db, bells, deed):
    held = claim(enqueue())
    taken_over(held)
    before = Job.objects.values().get(id=held.id)
    with pytest.raises(StaleLease):
        REFUSALS[deed](held)
    assert Job.objects.values().get(id=held.id) == before


@pytest.mark.parametrize("deed", sorted(REFUSALS))
def test_a_claim_whose_lease_ran_out_and_was_taken_back_ends_nothing_either(db, bells, deed):
    held = claim(enqueue())
    jobs.reconcile(depths={}, now=after(16))
    with pytest.raises(StaleLease):
        REFUSALS[deed](held)
    assert row(held.id).state == "queued"


def test_a_late_worker_whose_job_nobody_took_may_still_finish(db, bells):
    held = claim(enqueue())
    jobs.finish(claim=held, now=after(1000))
    assert row(held.id).state == "done"


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_finished_with_the_effects_of_its_transaction(bells, django_assert_num_queries):
    enqueue_batch(50)
    held = claim_batch()
    with django_assert_num_queries(3), django_transaction.atomic():  # BEGIN and COMMIT besides
        jobs.finish_batch(claims=held, now=after(1))
    assert states() == {"done": 50}
    with pytest.raises(OutsideTransaction):
        jobs.finish_batch(claims=held, now=after(1))


@pytest.mark.django_db(transaction=True)
def test_one_stale_row_refuses_the_whole_batch_with_its_effects(bells):
    enqueue_batch(3)
    held = claim_batch()
    Job.objects.filter(id=held[0].id).update(fencing_token=9)

    @transaction
    def work() -> None:
        effect("batch")
        jobs.finish_batch(claims=held, now=after(1))

    with pytest.raises(StaleLease, match="1 of 3 claims are stale"):
        work()
    assert (states(), effects()) == ({"running": 3}, 0)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_was_stopped_beyond_its_lease_commits_nothing(bells):
    held = claim(enqueue())
    with guarded_commits(lambda: jobs.check(claim=held)):
        effect("before")
        assert at_once(1, lambda _: taken_over(held)) == [None]
        with pytest.raises(StaleLease):
            effect("after")
    assert list(Schedule.objects.values_list("name", flat=True)) == ["before"]
    assert row(held.id).state == "running"


@pytest.mark.django_db(transaction=True)
def test_nobody_takes_a_job_over_between_the_check_and_the_commit(bells):
    held = claim(enqueue())
    checked, reconciled = threading.Event(), threading.Event()
    order: list[str] = []

    def caretaker() -> None:
        checked.wait()
        order.append(f"freed {jobs.reconcile(depths={}, now=after(16)).freed}")
        reconciled.set()
        connection.close()

    thread = threading.Thread(target=caretaker)
    thread.start()
    with django_transaction.atomic():
        jobs.check(claim=held)
        checked.set()
        reconciled.wait()
        order.append("committed")
    thread.join()
    assert order == ["freed 0", "committed"]
    assert jobs.reconcile(depths={}, now=after(16)).freed == 1


@pytest.mark.django_db(transaction=True)
def test_a_check_needs_the_transaction_that_it_guards(bells):
    held = claim(enqueue())
    with pytest.raises(OutsideTransaction):
        jobs.check(claim=held)
    with django_transaction.atomic():
        jobs.check(claim=held)


def test_ends_are_nothing_that_people_decide(db, bells):
    job_id = enqueue()
    fail_until_parked(job_id)
    jobs.finish(claim=claim(enqueue()), now=NOW)
    assert Event.objects.count() == 0


def test_a_single_job_of_a_batch_task_ends_like_any_other(db, bells):
    job_id = enqueue(BATCH)
    jobs.finish(claim=claim(job_id, task=BATCH), now=after(1))
    assert row(job_id).state == "done"
