"""Progress of a job reaches its row while the job is inside a transaction, and costs it nothing when it cannot."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError, connection, transaction

from apps.core.claims import Claim
from apps.core.errors import Broken
from apps.jobs import progress, services
from apps.jobs.models import Job
from tasks.progress import of_this_job
from tests.integration.jobs.queue_rows import make_job

pytestmark = pytest.mark.django_db(transaction=True)


def held(job: Job) -> Claim:
    return Claim(id=job.id, token=job.fencing_token)


def far(job: Job) -> tuple[int | None, int | None, str]:
    """Return how far the job is, as another session sees it."""
    found = []

    def look() -> None:
        row = Job.objects.get(id=job.id)
        found.append((row.progress_done, row.progress_total, row.progress_note))
        connection.close()

    looking = threading.Thread(target=look)
    looking.start()
    looking.join()
    return found[0]


def test_others_see_how_far_a_job_is_while_its_transaction_is_open_and_may_not_write():
    job = make_job("running")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        with progress.noted(held(job), every_s=0) as tell:
            tell(3, 40, "reading markets_quote")
        assert far(job) == (3, 40, "reading markets_quote")
        with progress.noted(held(job)) as tell:
            tell(20, 40, "too soon to be written")
            tell(40, 40, "the end is always written")
        assert far(job) == (40, 40, "the end is always written")


def test_a_job_that_does_not_run_is_left_alone():
    job = make_job("done")
    with progress.noted(held(job), every_s=0) as tell:
        tell(1, 2, "late")
    assert far(job) == (None, None, "")


def test_a_worker_that_lost_the_job_does_not_overwrite_what_its_successor_tells():
    job = make_job("running", fencing_token=1)
    Job.objects.filter(id=job.id).update(fencing_token=2)
    with progress.noted(Claim(id=job.id, token=2), every_s=0) as tell:
        tell(1, 9, "the successor")
    with progress.noted(Claim(id=job.id, token=1), every_s=0) as tell:
        tell(8, 9, "too late")
    assert far(job) == (1, 9, "the successor")


def test_a_database_that_refuses_costs_the_news_alone(monkeypatch):
    def away(**_):
        raise OperationalError("away")

    job = make_job("running")
    monkeypatch.setattr(services, "note_progress", away)
    with progress.noted(held(job), every_s=0) as tell:
        tell(1, 2, "lost")
    assert far(job) == (None, None, "")


def test_an_error_of_the_work_goes_on_its_way():
    job = make_job("running")

    def work() -> None:
        with progress.noted(held(job), every_s=0) as tell:
            tell(1, 2, "half")
            raise Broken

    with pytest.raises(Broken):
        work()
    assert far(job) == (1, 2, "half")


def test_outside_of_a_job_nobody_listens():
    with of_this_job() as tell:
        tell(1, 2, "nobody hears")
    assert Job.objects.count() == 0
