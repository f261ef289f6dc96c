"""Old jobs are let go; what waits for a person or is unfinished is not."""

from __future__ import annotations

import pytest

from apps.jobs import services as jobs
from apps.jobs.errors import WrongJob
from apps.jobs.models import Job
from tests.integration.jobs.jobs_world import NOW, after, claim, enqueue, fail_until_parked, states

DAY_S = 86_400


def done(**fields) -> str:
    job_id = enqueue(**fields)
    jobs.finish(claim=claim(job_id), now=NOW)
    return job_id


def test_ended_jobs_are_forgotten_after_their_days_and_not_before(db, bells):
    done()
    Job.objects.filter(id=done()).update(state="skipped")
    Job.objects.filter(id=done()).update(state="discarded")
    assert jobs.forget(keep_days=2, now=after(2 * DAY_S)) == 0
    assert jobs.forget(keep_days=2, now=after(2 * DAY_S + 1)) == 3
    assert Job.objects.count() == 0


def test_parked_queued_and_running_jobs_are_kept_however_old(db, bells):
    fail_until_parked(enqueue())
    claim(enqueue())
    enqueue()
    assert jobs.forget(keep_days=1, now=after(1000 * DAY_S)) == 0
    assert states() == {"parked": 1, "running": 1, "queued": 1}


@pytest.mark.django_db(transaction=True)
def test_much_is_forgotten_slice_by_slice(bells, monkeypatch):
    monkeypatch.setattr("apps.jobs.services.forgetting.SLICE_ROWS", 10)
    for _ in range(25):
        done()
    assert jobs.forget(keep_days=1, now=after(3 * DAY_S)) == 25


def test_with_its_job_a_key_is_forgotten(db, bells):
    first = done(key="k")
    assert enqueue(key="k") == first
    jobs.forget(keep_days=0, now=after(1))
    assert enqueue(key="k") != first


def test_fewer_than_no_days_are_refused(db, bells):
    done()
    with pytest.raises(WrongJob):
        jobs.forget(keep_days=-1, now=after(10 * DAY_S))
    assert Job.objects.count() == 1
