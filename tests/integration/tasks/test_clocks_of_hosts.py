"""Hosts disagree on the time: what one writes for another to wait for goes by PostgreSQL's clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from apps.core import bell, clock
from apps.core.bell import Bell
from apps.core.database_clock import database_now
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.services.claiming import TAKE_NEXT
from apps.jobs.types import ClaimedJob, NewJob
from tasks import jobs as caretaking
from tasks import running
from tests.integration.tasks import clockwork_tasks

pytestmark = pytest.mark.django_db(transaction=True)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
TASK = "clockwork.mark"


@pytest.fixture
def bells(monkeypatch) -> list[Bell]:
    rung: list[Bell] = []
    monkeypatch.setattr(bell, "_send_all", rung.extend)
    return rung


@pytest.fixture(params=[-3600, 3600], ids=["an hour behind", "an hour ahead"])
def host(request, monkeypatch, bells) -> timedelta:
    """Let this host's clock be wrong; nobody's messages wait in the broker."""
    true, wrong_by = clock.now, timedelta(seconds=request.param)
    monkeypatch.setattr(clock, "now", lambda: true() + wrong_by)
    monkeypatch.setattr(caretaking, "queue_depths", dict)
    monkeypatch.setattr(caretaking, "count_waiting", dict)
    return wrong_by


def enqueue(task: str = TASK, **fields) -> str:
    return jobs.enqueue(task=task, kwargs={}, queue="upkeep", now=clock.now(), by="test", **fields).job_id


def claimed(job_id: str, task: str = TASK) -> ClaimedJob:
    given = jobs.claim(job_id=job_id, task=task, owner="worker")
    assert isinstance(given, ClaimedJob), given
    return given


def is_now(at: datetime | None, *, later_s: float = 0) -> bool:
    """Say whether a moment is PostgreSQL's present one, give or take a busy machine."""
    return at is not None and abs(at - timedelta(seconds=later_s) - database_now()) < 60 * SECOND


def row(job_id: str) -> Job:
    return Job.objects.get(id=job_id)


def test_a_job_that_a_host_ahead_makes_is_due_at_once_and_its_bell_is_not_spent_in_vain(host, bells):
    job_id = enqueue()
    assert [rung.job_id for rung in bells] == [job_id]
    due_at = row(job_id).next_try_at
    assert due_at is not None
    assert due_at <= database_now()
    assert claimed(job_id).attempts == 1


def test_many_jobs_of_a_host_ahead_are_due_at_once(host):
    new = NewJob(task="clockwork.mark_batch", queue="upkeep")
    assert jobs.enqueue_many(jobs=[new] * 3, now=clock.now(), by="test") == 3
    assert len(jobs.claim_batch(task="clockwork.mark_batch", limit=9, owner="worker")) == 3


def test_a_lease_lasts_from_now_whatever_the_hosts_clock_says(host):
    held = claimed(enqueue())
    assert is_now(row(held.id).started_at)
    assert is_now(row(held.id).lease_until, later_s=15)
    Job.objects.update(lease_until=database_now() - SECOND)
    running._renew([held])
    assert is_now(row(held.id).lease_until, later_s=15)


def test_a_caretaker_whose_clock_is_wrong_leaves_a_healthy_job_alone(host, bells):
    held = claimed(enqueue())
    bells.clear()
    for _ in range(3):
        caretaking.reconcile_step()
    assert (row(held.id).state, row(held.id).fencing_token, bells) == ("running", held.token, [])
    jobs.finish(claim=held)
    assert is_now(row(held.id).finished_at)


def test_a_caretaker_whose_clock_is_wrong_takes_back_what_is_silent(host, bells):
    held = claimed(enqueue())
    Job.objects.update(lease_until=database_now() - SECOND)
    bells.clear()
    caretaking.reconcile_step()
    assert (row(held.id).state, [rung.job_id for rung in bells]) == ("queued", [held.id])


def test_a_caretaker_whose_clock_is_wrong_keeps_to_deadlines(host):
    fine, over = enqueue(deadline_at=database_now() + 600 * SECOND), enqueue(deadline_at=database_now() - SECOND)
    late = enqueue(start_by=database_now() - SECOND)
    caretaking.reconcile_step()
    assert [row(job_id).state for job_id in (fine, over, late)] == ["queued", "parked", "skipped"]


def test_a_job_that_is_tried_again_is_due_in_two_seconds_and_not_in_an_hour(host, monkeypatch):
    failed, put_off = enqueue("clockwork.break_down"), enqueue("clockwork.come_again")
    with pytest.raises(ValueError, match="cannot reach"):
        running.run_job(clockwork_tasks.break_down, failed)
    Job.objects.filter(id=put_off).update(kwargs={"after_s": 120})
    running.run_job(clockwork_tasks.come_again, put_off)
    assert is_now(row(failed).next_try_at, later_s=2)
    assert is_now(row(put_off).next_try_at, later_s=120)
    assert (row(failed).state, row(put_off).state) == ("queued", "queued")


def test_a_killed_workers_job_is_due_in_two_seconds(host):
    held = claimed(enqueue())
    caretaking.lost.run(lost_job=held.id, owner="worker", reason="signal 9")
    assert (row(held.id).state, is_now(row(held.id).next_try_at, later_s=2)) == ("queued", True)


def test_a_replayed_job_is_due_at_once(host, bells):
    job_id = enqueue()
    Job.objects.update(state="parked", finished_at=database_now())
    jobs.replay(job_id=job_id, by="olga", now=clock.now())
    assert claimed(job_id).attempts == 1


def test_a_bell_that_came_before_its_time_is_rung_again_when_the_time_has_come(bells, monkeypatch):
    monkeypatch.setattr(caretaking, "queue_depths", lambda: {"upkeep": 500})
    monkeypatch.setattr(caretaking, "count_waiting", dict)
    job_id = enqueue()
    Job.objects.update(next_try_at=database_now() + HOUR)  # the server's clock was put back, say
    assert jobs.claim(job_id=job_id, task=TASK, owner="worker") == "not-due"
    bells.clear()
    caretaking.reconcile_step()
    assert bells == []
    Job.objects.update(next_try_at=database_now())
    caretaking.reconcile_step()
    assert [rung.job_id for rung in bells] == [job_id]


def test_a_statement_without_a_moment_goes_by_the_servers_and_is_still_read_by_an_index():
    values: dict[str, Any] = {"owner": "w", "lease_s": 15, "now": None, "task": TASK, "limit": 9}
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {TAKE_NEXT}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    conditions = [
        line for line in plan.splitlines() if "Index Cond" in line and "next_try_at <= COALESCE(statement_timestamp())" in line
    ]
    assert len(conditions) >= 2, plan
