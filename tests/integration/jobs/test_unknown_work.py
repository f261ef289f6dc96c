"""Work that nobody can take is rung for at first, and parked for a person in the end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from apps.jobs import batching
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.types import Reconciled
from tests.integration.jobs.jobs_world import BATCH, SINGLE, after, claim, enqueue, row, states

pytestmark = pytest.mark.django_db(transaction=True)
GONE = "tests.gone"
QUARTER_S = 15 * 60


@pytest.fixture(autouse=True)
def known_tasks(monkeypatch, bells):
    """Let the desk know a single task and a batch task."""
    known = {BATCH: SimpleNamespace(batch_size=100), SINGLE: SimpleNamespace(batch_size=0)}
    monkeypatch.setattr(batching, "_tasks", lambda: known)


def look(seconds: float) -> Reconciled:
    return jobs.reconcile(depths={}, now=after(seconds))


def test_a_job_of_a_task_that_nobody_knows_is_parked_after_a_quarter_of_an_hour(bells):
    gone, fine, batch = enqueue(GONE), enqueue(), enqueue(BATCH)
    assert look(QUARTER_S - 1) == Reconciled(rerung=3)  # a worker of a newer version may know it
    assert look(QUARTER_S) == Reconciled(parked=1)
    assert (row(gone).state, row(gone).reason, row(gone).attempts) == ("parked", f"no worker knows the task {GONE}", 0)
    assert row(gone).finished_at == after(QUARTER_S)
    assert [row(job_id).state for job_id in (fine, batch)] == ["queued", "queued"]
    bells.clear()
    assert look(QUARTER_S + 60) == Reconciled(rerung=2)
    assert gone not in {bell.job_id for bell in bells}


def test_a_job_whose_queue_is_gone_is_never_rung_for_and_spoils_no_other(bells):
    lost, fine = enqueue(), enqueue()
    Job.objects.filter(id=lost).update(queue="renamed")
    bells.clear()
    assert look(60).rerung == 1
    assert [bell.job_id for bell in bells] == [fine]
    assert look(QUARTER_S).parked == 1
    assert (row(lost).state, row(lost).reason) == ("parked", "there is no queue renamed")


def test_work_for_later_is_not_judged_before_its_time(bells):
    enqueue(GONE, run_at=after(QUARTER_S))
    assert look(2 * QUARTER_S - 1).parked == 0
    assert look(2 * QUARTER_S).parked == 1


def test_a_worker_that_knows_more_may_take_it_until_then(bells):
    held = claim(enqueue(GONE), task=GONE, now=after(QUARTER_S - 1))
    assert look(QUARTER_S) == Reconciled()
    jobs.finish(claim=held, now=after(QUARTER_S))
    assert states() == {"done": 1}


def test_what_was_parked_so_comes_back_when_somebody_replays_it(bells):
    job_id = enqueue(GONE)
    look(QUARTER_S)
    jobs.replay(job_id=job_id, by="olga", now=after(QUARTER_S + 60))
    assert (row(job_id).state, row(job_id).reason) == ("queued", "")
    assert look(2 * QUARTER_S + 59).parked == 0
    assert look(2 * QUARTER_S + 60).parked == 1


def test_of_a_schedule_whose_task_is_gone_the_newest_dead_letter_stays(bells):
    ids = [
        enqueue(GONE, schedule="tick", slot_at=after(60 * number), scope="tick", now=after(60 * number)) for number in range(5)
    ]
    look(2 * QUARTER_S)
    assert [row(job_id).state for job_id in ids] == ["discarded"] * 4 + ["parked"]


def test_a_backlog_of_work_that_is_known_is_never_parked(bells):
    for _ in range(5):
        enqueue()
    assert look(100 * QUARTER_S).parked == 0
    assert states() == {"queued": 5}
