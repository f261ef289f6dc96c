"""A job that gives its worker back in the middle, and work that is not written down twice while it waits."""

from __future__ import annotations

import pytest

from apps.core.claims import StaleLease
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.types import NewJob
from tests.integration.jobs.jobs_world import NOW, after, claim, enqueue, row


def new(symbol: str, task: str = "tasks.ingest.candles_of") -> NewJob:
    return NewJob(task=task, queue="fetch", kwargs={"symbol": symbol}, source="yahoo", scope=f"{task} {symbol}")


def test_a_job_given_back_waits_at_once_and_that_is_no_attempt_however_often(db):
    job_id = enqueue(attempts_max=1)
    for number in range(15):
        held = claim(job_id, now=after(number))
        assert (held.attempts, held.postponements) == (1, 0)
        jobs.give_back(claim=held, now=after(number), reason="the next slot is 4 s ahead")
        job = row(job_id)
        assert (job.state, job.attempts, job.postponements, job.lease_owner) == ("queued", 0, 0, "")
        assert (job.next_try_at, job.rung_at, job.reason) == (after(number), after(number), "the next slot is 4 s ahead")


def test_who_lost_its_lease_cannot_give_the_job_back(db):
    held = claim(enqueue())
    jobs.reconcile(depths={}, now=after(16))
    assert claim(held.id, now=after(16), owner="worker-2").token == held.token + 1
    with pytest.raises(StaleLease):
        jobs.give_back(claim=held, now=after(17))
    assert (row(held.id).state, row(held.id).lease_owner) == ("running", "worker-2")


def test_what_waits_already_is_not_written_down_again_and_what_began_is(db):
    assert jobs.enqueue_absent(jobs=[new("A"), new("B")], now=NOW, by="test") == 2
    assert jobs.enqueue_absent(jobs=[new("A"), new("B"), new("C"), new("A", "tasks.other")], now=NOW, by="test") == 2
    claim(Job.objects.get(kwargs__symbol="B").id, task="tasks.ingest.candles_of")
    assert jobs.enqueue_absent(jobs=[new("A"), new("B")], now=NOW, by="test") == 1
    assert jobs.enqueue_absent(jobs=[], now=NOW, by="test") == 0
    assert Job.objects.count() == 5
