"""The caretaker finds what lost its worker, its time or its bell."""

from __future__ import annotations

import pytest

from apps.core.bell import Bell
from apps.core.db import only_one
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.types import Reconciled
from tests.integration.jobs.jobs_world import (
    BATCH,
    NOW,
    QUEUE,
    SINGLE,
    after,
    at_once,
    claim,
    claim_batch,
    enqueue,
    enqueue_batch,
    row,
    states,
)  # fmt: skip

pytestmark = pytest.mark.django_db(transaction=True)


def look(seconds: float, depths=None, paced=None) -> Reconciled:
    return jobs.reconcile(depths=depths or {}, paced=paced or {}, now=after(seconds))


def rung(bells) -> list[str]:
    found = [bell.job_id for bell in bells]
    bells.clear()
    return found


def test_a_job_whose_worker_is_silent_for_a_lease_is_taken_back_and_rung_for_at_once(bells):
    job_id = enqueue()
    claim(job_id)
    bells.clear()
    assert look(14) == Reconciled()
    assert look(15) == Reconciled(freed=1, rerung=1)
    job = row(job_id)
    assert (job.state, job.next_try_at, job.reason) == ("queued", NOW, "the worker was lost (worker-1)")
    assert (job.attempts, job.fencing_token) == (1, 1)
    assert rung(bells) == [job_id]


def test_a_job_that_lost_three_workers_is_parked(bells):
    job_id = enqueue()
    for attempt in range(3):
        claim(job_id, now=after(20 * attempt))
        found = look(20 * attempt + 15)
    assert found == Reconciled(parked=1)
    job = row(job_id)
    assert (job.state, job.attempts, job.finished_at) == ("parked", 3, after(55))
    assert job.reason == "its attempts are used up: the worker was lost (worker-1)"


def test_a_job_that_lost_its_worker_past_its_deadline_is_parked(bells):
    claim(enqueue(deadline_at=after(10)))
    assert look(15) == Reconciled(parked=1)
    assert Job.objects.get().reason == "its deadline passed: the worker was lost (worker-1)"


def test_a_renewed_lease_is_respected(bells):
    held = claim(enqueue())
    jobs.renew(claim=held, now=after(10))
    assert look(20) == Reconciled()
    assert look(25).freed == 1


def test_what_waited_too_long_is_skipped_or_parked_by_itself(bells):
    late, dead, fine = (
        enqueue(BATCH, start_by=after(5)),
        enqueue(BATCH, deadline_at=after(8)),
        enqueue(BATCH, deadline_at=after(90)),
    )
    assert look(8, depths={QUEUE: 9}) == Reconciled(skipped=1, parked=1, rerung=1)
    assert [(row(job_id).state, row(job_id).reason) for job_id in (late, dead, fine)] == [
        ("skipped", "too late"),
        ("parked", "its deadline passed"),
        ("queued", ""),
    ]


def test_a_job_that_has_begun_once_is_not_too_late(bells):
    job_id = enqueue(start_by=after(5))
    jobs.fail(claim=claim(job_id), error=ValueError("x"), now=NOW)
    assert look(60).skipped == 0
    assert row(job_id).state == "queued"


def test_lost_bells_are_rung_again_after_five_seconds_and_then_left_alone_for_five(bells):
    ids = [enqueue() for _ in range(3)]
    bells.clear()
    assert look(4).rerung == 0
    assert look(5).rerung == 3
    assert sorted(rung(bells)) == sorted(ids)
    assert (look(6).rerung, look(9).rerung, look(10).rerung) == (0, 0, 3)


def test_jobs_whose_messages_wait_in_the_queue_are_not_rung_for(bells):
    for _ in range(10):
        enqueue()
    assert look(60, depths={QUEUE: 10}).rerung == 0
    assert look(60, depths={QUEUE: 7}).rerung == 3


def test_the_important_and_then_the_old_are_rung_for_first(bells):
    old, young = enqueue(), enqueue(now=after(1))
    important = enqueue(now=after(2), priority=5)
    bells.clear()
    look(60, depths={QUEUE: 2})
    assert rung(bells) == [important]
    look(70, depths={QUEUE: 1})
    assert set(rung(bells)) == {important, old}
    assert row(young).rung_at == after(1)


def test_a_job_for_later_is_rung_for_when_its_time_comes_however_full_the_queue_is(bells):
    job_id = enqueue(run_at=after(30))
    assert look(29).rerung == 0
    assert look(30, depths={QUEUE: 500}).rerung == 1
    assert rung(bells) == [job_id]
    assert look(31, depths={QUEUE: 500}).rerung == 0


def test_a_retry_is_rung_for_when_it_is_due(bells):
    job_id = enqueue()
    jobs.fail(claim=claim(job_id), error=ValueError("x"), now=NOW)
    bells.clear()
    assert (look(1).rerung, look(2).rerung) == (0, 1)
    assert rung(bells) == [job_id]


def test_a_batch_gets_one_bell_every_five_seconds(bells):
    enqueue_batch(300)
    bells.clear()
    assert [look(seconds).rerung for seconds in (4, 5, 6, 9, 10)] == [0, 1, 0, 0, 1]
    assert bells == [Bell(task=BATCH, queue=QUEUE)] * 2


def test_a_batch_row_that_comes_back_is_rung_for_at_once(bells):
    enqueue_batch(1)
    jobs.fail(claim=claim_batch()[0], error=ValueError("x"), now=NOW)
    bells.clear()
    assert (look(2).rerung, bells) == (1, [Bell(task=BATCH, queue=QUEUE, goes_first=True)])
    assert look(3).rerung == 0


def test_messages_that_wait_for_a_slot_of_their_source_are_no_lost_bells(bells):
    paced = [enqueue(source="newsapi") for _ in range(6)]
    other = enqueue()
    bells.clear()
    assert look(60, paced={"newsapi": 6}).rerung == 1
    assert rung(bells) == [other]
    assert look(120, paced={"newsapi": 4}).rerung == 3
    assert len(set(rung(bells)) & set(paced)) == 2


def test_an_empty_broker_gets_everything_again(bells):
    enqueue_batch(50)
    for _ in range(40):
        enqueue()
    claim_batch(limit=10)
    bells.clear()
    look(5)
    assert sorted(bell.task for bell in bells) == [BATCH] + [SINGLE] * 40


def test_one_look_is_bounded_and_the_next_goes_on(bells, monkeypatch):
    monkeypatch.setattr("apps.jobs.services.reconciling.ROWS_MAX", 3)
    for _ in range(5):
        claim(enqueue())
    assert [look(15).freed, look(15.1).freed, look(15.2).freed] == [3, 2, 0]
    assert states() == {"queued": 5}
    assert [look(30).rerung, look(30.1).rerung, look(30.2).rerung] == [3, 2, 0]


def test_of_six_caretakers_at_once_each_job_is_rung_for_once(bells):
    for _ in range(20):
        enqueue()
    bells.clear()
    found = at_once(6, lambda _: look(5))
    assert sum(one.rerung for one in found) == 20
    assert len({bell.job_id for bell in bells}) == len(bells) == 20


def test_a_second_caretaker_leaves_at_once(bells):
    claim(enqueue())
    with only_one("jobs.reconcile"):
        assert at_once(1, lambda _: look(60)) == [Reconciled()]
    assert look(60).freed == 1
