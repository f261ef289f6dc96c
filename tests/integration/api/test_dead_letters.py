"""Dead letters and schedules over the API: who may read, who may act, and what becomes of them."""

from __future__ import annotations

import pytest
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.audit import selectors as audit
from apps.jobs.models import Job, Schedule
from tests.integration.jobs.queue_rows import NOW, make_job, seconds

LIST = "/api/v1/dead-letters/"
SHOWN = {
    *("id", "task", "kwargs", "queue", "source", "tenant", "schedule", "slot_at", "state", "reason", "attempts"),
    *("made_at", "made_by", "parked_at"),
}


@pytest.fixture
def letter(db):
    return make_job(
        "parked", task="tasks.settle.due", queue="money", kwargs={"market": "mkt_1"}, attempts=3, reason="KeyError: 'x'",
        trace="Traceback (most recent call last)", finished_at=NOW,
    )  # fmt: skip


@pytest.fixture
def chief(db, django_user_model):
    """Staff with every permission, whose browser sends the token of the page."""
    client = Client()
    client.force_login(django_user_model.objects.create_user("chief", is_staff=True, is_superuser=True))
    return client


def events():
    rows = audit.events_table().filter(action__startswith="dead_letter.").order_by("id")
    return list(rows.values_list("action", "subject", "actor"))


def test_the_list_shows_parked_and_discarded_work_and_no_trace(letter, ops):
    make_job("discarded", task="tasks.trade.work", finished_at=NOW + seconds(1))
    for state in ("queued", "running", "done", "skipped"):
        make_job(state)
    rows = ops.get(LIST).json()["results"]
    assert [row["state"] for row in rows] == ["discarded", "parked"]
    assert set(rows[1]) == SHOWN
    assert (rows[1]["kwargs"], rows[1]["attempts"], rows[1]["parked_at"]) == ({"market": "mkt_1"}, 3, "2026-03-02T12:00:00Z")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("state=parked", 1),
        ("state=discarded", 0),
        ("task=tasks.settle.due", 1),
        ("queue=fetch", 0),
        ("since=2026-03-02T12:00:00Z", 1),
        ("before=2026-03-02T12:00:00Z", 0),
        ("schedule=settle", 0),
    ],
)
def test_filters_narrow_the_list(letter, ops, query, count):
    assert len(ops.get(f"{LIST}?{query}").json()["results"]) == count


@pytest.mark.parametrize(("query", "field"), [("state=queued", "state"), ("ordering=trace", "ordering"), ("since=soon", "since")])
def test_a_wrong_filter_is_a_problem_that_names_it(letter, ops, query, field):
    answer = ops.get(f"{LIST}?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_the_trace_is_for_staff_who_may_act(letter, chief, staff, ops):
    traces = [client.get(f"{LIST}{letter.id}/").json()["trace"] for client in (chief, staff, ops)]
    assert traces == ["Traceback (most recent call last)", None, None]


def test_replay_puts_the_work_back_and_is_audited(letter, chief):
    answer = chief.post(f"{LIST}{letter.id}/replay/")
    assert (answer.status_code, answer.json()) == (200, {"id": letter.id, "state": "queued"})
    job = Job.objects.get()
    assert (job.state, job.attempts, job.reason) == ("queued", 0, "")
    assert events() == [("dead_letter.replayed", letter.id, "user:chief")]
    again = chief.post(f"{LIST}{letter.id}/replay/")
    assert (again.status_code, again.json()["code"]) == (409, "job-not-parked")
    assert again.headers["Content-Type"] == "application/problem+json"
    assert len(events()) == 1


def test_discard_lets_the_work_go_and_is_audited(letter, ops):
    answer = ops.post(f"{LIST}{letter.id}/discard/")
    assert (answer.status_code, answer.json()) == (200, {"id": letter.id, "state": "discarded"})
    assert Job.objects.get().state == "discarded"
    assert events() == [("dead_letter.discarded", letter.id, "ops")]


@pytest.mark.parametrize("deed", ["replay", "discard"])
def test_who_may_not_act_changes_nothing(letter, nobody, stranger, staff, deed):
    statuses = [client.post(f"{LIST}{letter.id}/{deed}/").status_code for client in (nobody, stranger, staff)]
    assert statuses == [401, 403, 403]
    assert Job.objects.get().state == "parked"
    assert events() == []


@pytest.mark.parametrize("deed", ["replay", "discard"])
def test_a_foreign_page_cannot_act_for_staff(letter, chief, deed):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = chief.cookies
    assert strict.post(f"{LIST}{letter.id}/{deed}/").status_code == 403
    assert Job.objects.get().state == "parked"


@pytest.mark.parametrize("deed", ["replay", "discard"])
def test_what_is_not_there_and_what_is_at_work_are_told_apart_from_dead_letters(letter, ops, deed):
    running = make_job("running")
    assert ops.post(f"{LIST}job_none/{deed}/").status_code == 404
    assert ops.post(f"{LIST}{running.id}/{deed}/").status_code == 409
    assert ops.get(f"{LIST}{letter.id}/{deed}/").status_code == 405
    running.refresh_from_db()
    assert running.state == "running"


def test_schedules_tell_their_next_runs_and_what_they_did(db, staff, ops):
    every = IntervalSchedule.objects.create(every=5, period="minutes")
    PeriodicTask.objects.create(name="settle", task="tasks.settle.due", interval=every)
    PeriodicTask.objects.create(name="off", task="tasks.settle.due", interval=every, enabled=False)
    Schedule.objects.create(name="settle", last_success_at=NOW, last_slot_at=NOW, last_lateness_s=0.5, grace_s=60)
    page = ops.get("/api/v1/schedules/").json()
    assert (page["next"], page["previous"], [row["name"] for row in page["results"]]) == (None, None, ["settle"])
    (row,) = page["results"]
    assert len(row.pop("next_at")) == 3
    assert row == {
        "name": "settle", "task": "tasks.settle.due", "misfire": "latest", "grace_s": 60, "last_success_at": "2026-03-02T12:00:00Z",
        "last_slot_at": "2026-03-02T12:00:00Z", "last_lateness_s": 0.5, "alert_after_s": 900.0, "is_overdue": False, "fault": "",
    }  # fmt: skip
    assert staff.get("/api/v1/schedules/").json()["results"][0]["name"] == "settle"
