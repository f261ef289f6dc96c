"""What is told about the queue: counts, times, running work, dead letters and schedules, in few statements."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from apps.core.database_clock import database_now
from apps.jobs import selectors
from apps.jobs.models import Job, Schedule
from tests.integration.jobs.queue_rows import NOW, make_job, seconds

pytestmark = pytest.mark.django_db


def statements(ask) -> int:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        ask()
    return len(asked)


def test_depths_tell_due_rows_from_later_ones_and_how_long_the_first_has_waited():
    make_job(queue="fetch", next_try_at=NOW - seconds(90))
    make_job(queue="fetch", next_try_at=NOW - seconds(5))
    make_job(queue="fetch", next_try_at=NOW + seconds(60))
    make_job("running", queue="fetch")
    make_job("parked", queue="money")
    for state in ("done", "skipped", "discarded"):
        make_job(state, queue="backup")
    found = selectors.queue_depths(now=NOW)
    assert sorted(found) == ["fetch", "money"]
    fetch, money = found["fetch"], found["money"]
    assert (fetch.waiting, fetch.later, fetch.running, fetch.parked, fetch.oldest_wait_s) == (2, 1, 1, 0, 90.0)
    assert (money.waiting, money.running, money.parked, money.oldest_wait_s) == (0, 0, 1, None)
    assert selectors.parked_count() == 1


def test_an_empty_queue_has_no_figures():
    assert selectors.queue_depths(now=NOW) == {}
    assert selectors.queue_times(since=NOW) == {}
    assert selectors.running_jobs(now=NOW, limit=5) == ()
    assert selectors.dead_letters(limit=5) == ()


def test_the_oldest_wait_of_a_queue_is_of_work_that_only_lacks_a_worker():
    make_job(queue="money", next_try_at=NOW - seconds(12))
    make_job(queue="money", next_try_at=NOW - seconds(3))
    make_job(queue="upkeep", next_try_at=NOW + seconds(1))
    make_job("running", queue="backup", next_try_at=NOW - seconds(900))
    make_job("parked", queue="backup", next_try_at=NOW - seconds(900))
    assert selectors.oldest_waits_s(now=NOW) == {"money": 12.0}


def test_what_waits_for_the_pace_of_its_source_or_for_its_turn_waits_for_no_worker():
    make_job(queue="fetch", source="gamma", next_try_at=NOW - seconds(900))
    make_job("running", queue="fetch", scope="roll")
    make_job(queue="fetch", scope="roll", next_try_at=NOW - seconds(600))
    assert selectors.oldest_waits_s(now=NOW) == {}
    make_job(queue="fetch", scope="resolve", next_try_at=NOW - seconds(5))
    assert selectors.oldest_waits_s(now=NOW) == {"fetch": 5.0}


def test_the_database_says_how_long_work_has_waited():
    make_job(queue="money", next_try_at=database_now() - seconds(60))
    assert 60.0 <= selectors.oldest_waits_s()["money"] < 120.0


def test_times_are_quantiles_of_waits_and_runs_of_what_was_done_lately():
    for number in range(1, 11):
        began = NOW + seconds(number)
        make_job("done", queue="fetch", next_try_at=NOW, started_at=began, finished_at=began + seconds(2 * number))
    make_job("done", queue="fetch", finished_at=NOW - seconds(1))
    make_job("skipped", queue="fetch", finished_at=NOW + seconds(1))
    times = selectors.queue_times(since=NOW)["fetch"]
    assert (times.done, times.looked_at) == (10, 10)
    assert times.wait_s == pytest.approx({0.5: 5.5, 0.95: 9.55})
    assert times.run_s == pytest.approx({0.5: 11.0, 0.95: 19.1})


def test_quantiles_are_of_the_newest_rows_and_the_count_is_of_all(monkeypatch):
    monkeypatch.setattr(selectors, "NEWEST_MAX", 2)
    for number in range(4):
        ended = NOW + seconds(number)
        make_job("done", queue="money", next_try_at=ended - seconds(number), started_at=ended, finished_at=ended)
    make_job("done", queue="backup", finished_at=NOW)
    found = selectors.queue_times(since=NOW)
    assert (found["money"].done, found["money"].looked_at, found["money"].wait_s[0.5]) == (4, 2, 2.5)
    assert (found["backup"].done, found["backup"].looked_at, found["backup"].wait_s) == (1, 0, {})


def test_running_work_says_how_far_it_is():
    make_job("running", task="b", started_at=NOW - seconds(2))
    make_job("running", task="a", started_at=NOW - seconds(60), progress_done=30, progress_total=40, progress_note="dumping x")
    first, second = selectors.running_jobs(now=NOW, limit=5)
    assert (first.task, first.percent, first.done, first.total, first.note, first.run_s) == ("a", 75, 30, 40, "dumping x", 60.0)
    assert (second.task, second.percent, second.worker) == ("b", None, "worker@host")
    assert len(selectors.running_jobs(now=NOW, limit=1)) == 1


def test_a_trace_is_told_on_demand_only():
    make_job("parked", task="old", finished_at=NOW - seconds(60), trace="Traceback")
    make_job("parked", task="new", finished_at=NOW, trace="Traceback", reason="KeyError: 'x'", attempts=3)
    make_job("discarded", finished_at=NOW + seconds(1))
    letters = selectors.dead_letters(limit=5)
    assert [letter.task for letter in letters] == ["new", "old"]
    assert (letters[0].reason, letters[0].attempts, letters[0].parked_at, letters[0].trace) == ("KeyError: 'x'", 3, NOW, "")
    assert [letter.trace for letter in selectors.dead_letters(limit=5, with_trace=True)] == ["Traceback", "Traceback"]
    assert [row["state"] for row in selectors.dead_letters_table()] == ["discarded", "parked", "parked"]


def every(name: str, count: int, **fields) -> PeriodicTask:
    interval = IntervalSchedule.objects.get_or_create(every=count, period="seconds")[0]
    return periodic(name, interval=interval, **fields)


def periodic(name: str, *, known_since=NOW, **fields) -> PeriodicTask:
    row = PeriodicTask.objects.create(name=name, task="tasks.upkeep.seal", **fields)
    PeriodicTask.objects.filter(id=row.id).update(date_changed=known_since)
    return row


def standing(name: str, *, at=NOW):
    return {found.name: found for found in selectors.schedule_standings(now=at)}[name]


def test_a_schedule_tells_its_next_slots_and_is_overdue_when_it_was_silent_too_long():
    every("seal", 600)
    Schedule.objects.create(name="seal", last_success_at=NOW, last_slot_at=NOW, last_lateness_s=0.4)
    found = standing("seal", at=NOW + seconds(1800))
    assert (found.silent_s, found.alert_after_s, found.is_overdue, found.last_lateness_s) == (1800.0, 1800.0, False, 0.4)
    assert len(found.next_at) == 3
    assert found.next_at[1] - found.next_at[0] == seconds(600)
    assert found.next_at[0] > NOW + seconds(1800)
    assert standing("seal", at=NOW + seconds(1801)).is_overdue


def test_staff_say_after_how_long_a_schedule_is_overdue():
    every("seal", 600)
    Schedule.objects.create(name="seal", last_success_at=NOW, alert_after_s=7200, misfire="skip", grace_s=60)
    found = standing("seal", at=NOW + seconds(7000))
    assert (found.alert_after_s, found.is_overdue, found.misfire, found.grace_s) == (7200.0, False, "skip", 60)
    assert standing("seal", at=NOW + seconds(7201)).is_overdue


def test_a_schedule_that_never_succeeded_is_given_time_from_when_it_was_made_or_starts():
    every("new", 10)
    every("later", 10, start_time=NOW + seconds(3600))
    assert standing("new", at=NOW + seconds(599)).silent_s == 599.0
    assert not standing("new", at=NOW + seconds(599)).is_overdue
    assert standing("new", at=NOW + seconds(601)).is_overdue
    assert not standing("later", at=NOW + seconds(601)).is_overdue
    assert standing("later", at=NOW).next_at[0] >= NOW + seconds(3600)


def test_a_schedule_that_is_off_is_not_told_and_one_that_cannot_run_is():
    every("off", 10, enabled=False)
    every("unreadable", 10, kwargs=json.dumps([1]))
    crontab = CrontabSchedule.objects.create(minute="30", hour="2", timezone="UTC")
    periodic("daily", crontab=crontab)
    found = {one.name: one for one in selectors.schedule_standings(now=NOW)}
    assert sorted(found) == ["daily", "unreadable"]
    assert found["unreadable"].is_overdue
    assert found["unreadable"].fault
    assert found["daily"].alert_after_s == 26 * 3600
    assert [slot.hour for slot in found["daily"].next_at] == [2, 2, 2]


def test_a_schedule_that_cannot_run_tells_its_task_and_what_it_did_while_it_could():
    every("unreadable", 10, kwargs=json.dumps([1]))
    Schedule.objects.create(name="unreadable", misfire="skip", grace_s=60, last_success_at=NOW, last_lateness_s=0.4)
    found = standing("unreadable", at=NOW + seconds(60))
    assert (found.task, found.misfire, found.grace_s) == ("tasks.upkeep.seal", "skip", 60)
    assert (found.last_success_at, found.success_age_s, found.last_lateness_s) == (NOW, 60.0, 0.4)
    assert found.next_at == ()


@pytest.mark.parametrize(("expire_seconds", "fault"), [(0, "its jobs expire after 0 seconds: each would be too late"), (1, "")])
def test_a_schedule_whose_jobs_expire_at_once_cannot_run(expire_seconds, fault):
    every("seal", 600, expire_seconds=expire_seconds)
    assert standing("seal").fault == fault


def test_the_end_of_a_schedule_ends_its_next_slots():
    every("ending", 600, expires=NOW + seconds(900))
    assert len(standing("ending").next_at) in (1, 2)
    assert max(standing("ending").next_at) < NOW + seconds(900)


def test_the_history_of_a_schedule_tells_every_slot_with_its_lateness():
    slots = [NOW + seconds(60 * number) for number in range(3)]
    make_job("done", schedule="seal", slot_at=slots[0], started_at=slots[0] + seconds(2), finished_at=slots[0] + seconds(5))
    make_job("skipped", schedule="seal", slot_at=slots[1], reason="superseded")
    make_job(schedule="seal", slot_at=slots[2])
    make_job(schedule="other", slot_at=slots[2])
    found = selectors.schedule_history(name="seal", limit=10)
    assert [(one.state, one.lateness_s, one.run_s, one.reason) for one in found] == [
        ("queued", None, None, ""),
        ("skipped", None, None, "superseded"),
        ("done", 2.0, 3.0, ""),
    ]
    assert len(selectors.schedule_history(name="seal", limit=1)) == 1


def test_every_question_is_one_statement_and_the_schedules_are_two():
    for number in range(5):
        every(f"tick {number}", 10 + number)
        make_job("parked")
    assert statements(lambda: selectors.queue_depths(now=NOW)) == 1
    assert statements(selectors.oldest_waits_s) == 1
    assert statements(lambda: selectors.queue_times(since=NOW)) == 1
    assert statements(lambda: selectors.running_jobs(now=NOW, limit=9)) == 1
    assert statements(lambda: selectors.dead_letters(limit=9)) == 1
    assert statements(lambda: selectors.schedule_history(name="x", limit=9)) == 1
    assert statements(lambda: selectors.schedule_standings(now=NOW)) == 2


@pytest.fixture
def many_rows():
    """Fill the table as after a busy day: hardly anything is open, very much is done."""
    rows = (("done", 30_000), ("skipped", 5_000), ("queued", 300), ("running", 8), ("parked", 40))
    with connection.cursor() as cursor:
        for state, count in rows:
            cursor.execute(
                "INSERT INTO jobs_job (id, task, kwargs, queue, scope, schedule, tenant, source, priority, state, attempts, attempts_max,"
                " postponements, next_try_at, lease_owner, lease_until, fencing_token, progress_note, made_at, made_by, started_at,"
                " finished_at, reason, trace)"
                " SELECT 'job_' || %(state)s || n, 't', '{}', 'q' || n %% 5, '', '', '', '', 0, %(state)s, 0, 3, 0,"
                " %(now)s - n * interval '3 second', '', CASE WHEN %(state)s = 'running' THEN %(now)s END, 0, '', %(now)s, 'test',"
                " %(now)s - n * interval '3 second', CASE WHEN %(state)s NOT IN ('queued', 'running') THEN"
                " %(now)s - n * interval '3 second' END, '', '' FROM generate_series(1, %(count)s) AS n",
                {"state": state, "count": count, "now": NOW},
            )
        cursor.execute("ANALYZE jobs_job")
    assert Job.objects.count() == 35_348


def plan_of(statement: str, **values) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", values)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_no_question_reads_the_whole_table(many_rows):
    depths = plan_of(selectors.DEPTHS, now=NOW)
    times = plan_of(selectors.TIMES, since=NOW - seconds(3600), newest=2000, quantiles=[0.5, 0.95])
    letters = selectors.dead_letters_table()[:50].explain()
    history = Job.objects.filter(schedule="x").exclude(schedule="").order_by("-slot_at")[:10].explain()
    for plan in (depths, times, letters, history):
        assert "Seq Scan" not in plan, plan
    assert "job_ended" in times
    assert "one_job_per_slot" in history
