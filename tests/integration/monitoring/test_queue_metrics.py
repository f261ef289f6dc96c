"""What Prometheus reads of the queue, and what it costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.jobs.models import Schedule
from apps.monitoring import queue_metrics
from apps.resilience import PacedItem
from apps.sources.pacing import pace_of, paced_queue
from tests.integration.jobs.queue_rows import make_job
from tests.integration.monitoring.test_metrics import families


@pytest.fixture
def now():
    return datetime.now(tz=UTC)


@pytest.fixture
def busy(transactional_db, now):
    """A queue with something in every state, and a schedule that has been silent for a day."""
    make_job(queue="fetch", next_try_at=now - timedelta(seconds=60))
    make_job(queue="fetch", next_try_at=now + timedelta(hours=1))
    make_job("running", queue="fetch")
    make_job("parked", queue="money")
    make_job(
        "done", queue="money", next_try_at=now - timedelta(seconds=4), started_at=now - timedelta(seconds=1), finished_at=now
    )
    every = IntervalSchedule.objects.create(every=1, period="minutes")
    PeriodicTask.objects.create(name="settle", task="tasks.settle.due", interval=every)
    PeriodicTask.objects.update(date_changed=now - timedelta(days=2))
    Schedule.objects.create(name="settle", last_success_at=now - timedelta(days=1), last_slot_at=now, last_lateness_s=0.25)


def test_rows_waits_and_schedules_are_told(busy, ops):
    found = families(ops.get("/metrics"))
    assert found["jobs"] == {
        ("fetch", "queued"): 1, ("fetch", "later"): 1, ("fetch", "running"): 1, ("fetch", "parked"): 0,
        ("money", "queued"): 0, ("money", "later"): 0, ("money", "running"): 0, ("money", "parked"): 1,
    }  # fmt: skip
    assert found["jobs_oldest_wait_seconds"]["fetch",] == pytest.approx(60, abs=15)
    assert found["jobs_oldest_wait_seconds"]["money",] == 0
    assert found["job_wait_seconds"] == {("0.5", "money"): pytest.approx(3), ("0.95", "money"): pytest.approx(3)}
    assert found["job_run_seconds"]["0.5", "money"] == pytest.approx(1)
    assert found["schedule_lateness_seconds"] == {("settle",): 0.25}
    assert found["schedule_success_age_seconds"]["settle",] == pytest.approx(86_400, abs=30)
    assert found["schedule_overdue"] == {("settle",): 1}


def test_every_source_has_its_pace(transactional_db, clean_redis, ops):
    found = families(ops.get("/metrics"))
    assert set(found["pace_per_minute"]) == set(found["circuit_breaker_state"])
    assert all(pace > 0 for pace in found["pace_per_minute"].values())


def test_what_waits_for_a_pace_is_told_by_source(transactional_db, clean_redis, ops):
    items = [PacedItem(id=str(number), source="alphavantage", body="{}") for number in range(30)]
    pace = pace_of("alphavantage")
    assert pace is not None
    offers = paced_queue().offer_many(items, pace)
    waiting = sum(not offer.goes_now for offer in offers)
    assert 0 < waiting < 31
    assert families(ops.get("/metrics"))["paced_waiting"] == {("alphavantage",): waiting}


def test_a_scrape_asks_one_statement_a_part_and_two_for_schedules(busy):
    counts = {}
    for part in queue_metrics.QUEUE_PARTS:
        with CaptureQueriesContext(connection) as asked:
            list(part())
        counts[part.__name__] = len(asked)
    assert counts == {"job_rows": 1, "job_times": 1, "schedules": 2}


def test_the_same_is_told_as_json(busy, clean_redis, ops):
    body = ops.get("/monitoring/metrics").json()
    assert body["jobs"]["money"] == {"queue": "money", "waiting": 0, "later": 0, "running": 0, "parked": 1, "oldest_wait_s": None}
    assert body["jobs"]["fetch"]["running"] == 1
    assert body["schedules_overdue"] == ["settle"]
    assert body["dead_letters"] == 1


def test_the_admin_tells_how_far_a_job_is(transactional_db, admin_client):
    make_job("running", progress_done=30, progress_total=40, progress_note="dumping x")
    assert "30 of 40 (75 %), dumping x" in admin_client.get("/admin/jobs/job/").content.decode()
