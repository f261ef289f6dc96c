"""The scheduler that beat runs: edits without a restart, a database that goes away, schedules that spoil a look."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection, connections
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from apps.jobs import services as jobs
from apps.jobs.models import Job, Schedule
from project.celery import app
from tasks import beat
from tasks.beat import SlotScheduler
from tests.integration.jobs.schedule_world import HOUR, MINUTE, SECOND, START, at, daily, every, slots, story

pytestmark = pytest.mark.django_db


class Beat:
    """A scheduler whose clock the test sets; its loops do not turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        self.scheduler = SlotScheduler(app, lazy=True, max_interval=1)
        # The session is the test's: beat must not close it for being inside a transaction.
        monkeypatch.setattr(beat, "close_old_connections", lambda: None)
        monkeypatch.setattr(connections, "close_all", lambda: None)
        monkeypatch.setattr(beat, "read_clock", lambda: (self.now, PeriodicTasks.last_change()))

    def tick(self, *, after=SECOND) -> float:
        self.now += after
        return self.scheduler.tick()


@pytest.fixture
def one(monkeypatch):
    return Beat(monkeypatch)


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    """Return the schedules that were named with this event, in the order of the log."""
    found = [record.msg for record in caplog.records]
    return [entry["schedule"] for entry in found if isinstance(entry, dict) and entry["event"] == event]


def test_a_tick_takes_what_is_due_and_says_when_to_look_again(one):
    every("tick", 10)
    assert [round(one.tick(), 3) <= 1.0 for _ in range(21)] == [True] * 21
    assert len(slots("tick")) == 2
    assert len(slots("tick", "queued")) == 1


def test_it_sleeps_until_the_next_slot_and_no_longer(one):
    every("tick", 0.5)
    waits = [one.tick(after=SECOND / 1000) for _ in range(3)]
    assert all(beat.LOOK_LEAST_S <= wait <= 0.5 for wait in waits)


def test_a_tick_without_slots_costs_one_statement_for_the_clock_only(one, django_assert_num_queries):
    every("tick", 3600)
    one.tick()
    with django_assert_num_queries(1):  # of the test's own clock
        one.tick()


def test_edits_take_effect_at_the_next_tick(one):
    row = daily("backup", 20, 0)
    one.tick()
    row.interval = IntervalSchedule.objects.create(every=2, period="seconds")
    row.crontab = None
    row.save()
    for _ in range(5):
        one.tick()
    assert len(slots("backup")) == 2


def test_a_schedule_that_is_switched_off_rests_and_has_no_past_when_it_is_back(one):
    row = every("tick", 10)
    for _ in range(11):
        one.tick()
    made = len(slots("tick"))
    assert made == 1
    row.enabled = False
    row.save()
    one.tick()
    one.tick(after=HOUR)
    assert len(slots("tick")) == made
    row.enabled = True
    row.save()
    one.tick()
    assert len(slots("tick")) == made
    one.tick(after=10 * SECOND)
    assert len(slots("tick")) == made + 1


def test_a_beat_that_was_restarted_meanwhile_knows_that_a_schedule_was_off(monkeypatch):
    row = every("tick", 60)
    Schedule.objects.filter(name="tick").update(misfire="all")
    first = Beat(monkeypatch)
    for _ in range(3):
        first.tick(after=MINUTE)
    assert len(slots("tick")) == 3
    row.enabled = False
    row.save()
    first.tick()
    second = Beat(monkeypatch)
    second.tick(after=first.now - START)
    second.tick(after=3 * HOUR)
    row.enabled = True
    row.save()
    second.tick()
    assert len(slots("tick")) == 3
    second.tick(after=MINUTE)
    assert len(slots("tick")) == 4


def test_a_beat_that_never_saw_the_old_times_makes_none_of_them_up(monkeypatch):
    row = every("tick", 60)
    Schedule.objects.filter(name="tick").update(misfire="all")
    Beat(monkeypatch).tick()
    row.interval = IntervalSchedule.objects.create(every=1, period="seconds")
    row.save()
    second = Beat(monkeypatch)
    second.tick(after=HOUR)
    assert len(slots("tick")) == 0
    second.tick(after=2 * SECOND)
    assert len(slots("tick")) == 2


def test_of_two_beats_one_is_restarted_while_a_schedule_is_off_and_none_makes_its_past_up(monkeypatch):
    row = every("tick", 10)
    old, other = Beat(monkeypatch), Beat(monkeypatch)

    def tick(beat_: Beat, moment) -> None:
        monkeypatch.setattr(beat, "read_clock", lambda: (moment, PeriodicTasks.last_change()))
        beat_.scheduler.tick()

    for second in range(0, 30, 2):
        tick(old, START + second * SECOND)
        tick(other, START + (second + 1) * SECOND)
    made = len(slots("tick"))
    row.enabled = False
    row.save()
    tick(old, START + 30 * SECOND)
    tick(other, START + 31 * SECOND)
    restarted = Beat(monkeypatch)
    tick(restarted, START + HOUR)
    row.enabled = True
    row.save()
    for second in range(3):
        tick(restarted, START + HOUR + (2 * second + 1) * SECOND / 10)
        tick(old, START + HOUR + (2 * second + 2) * SECOND / 10)
    assert len(slots("tick")) == made
    tick(old, START + HOUR + 10.5 * SECOND)
    tick(restarted, START + HOUR + 10.6 * SECOND)
    assert len(slots("tick")) == made + 1


def test_other_times_leave_no_past_to_catch_up_with(one):
    row = daily("backup", 20, 0)
    one.tick()
    row.crontab.hour = "7"
    row.crontab.save()
    one.tick()
    assert story("backup") == []
    assert Schedule.objects.get().handled_until == one.now


def test_a_new_schedule_begins_when_it_was_made(one):
    one.tick(after=MINUTE)
    every("tick", 10, known_since=one.now - 15 * SECOND)
    PeriodicTasks.update_changed()
    one.tick()
    assert len(slots("tick", "queued")) == 1


def test_a_beat_that_comes_back_after_six_hours_catches_up_once(monkeypatch):
    daily("backup", 9, 0)
    first = Beat(monkeypatch)
    first.tick()
    second = Beat(monkeypatch)
    second.tick(after=6 * HOUR)
    for _ in range(20):
        second.tick()
    assert story("backup") == [("queued", "")]


def test_a_moment_comes_once_and_the_schedule_is_gone(one):
    at("once", START + 3 * SECOND)
    for _ in range(10):
        one.tick()
    assert slots("once") == [START + 3 * SECOND]
    assert one.scheduler._definitions == {}


def test_a_clock_that_steps_back_is_seen_at_once(one):
    every("tick", 10)
    one.tick(after=24 * HOUR)
    made = len(slots("tick"))
    one.tick(after=-23 * HOUR)
    one.tick(after=20 * SECOND)
    assert len(slots("tick")) == made + 2


def test_one_schedule_that_makes_no_job_spoils_no_other(one, caplog):
    every("good", 10)
    every("bad", 10)
    PeriodicTask.objects.filter(name="bad").update(priority=5000)
    for _ in range(11):
        one.tick()
    assert (len(slots("good")), slots("bad")) == (1, [])
    assert told(caplog, "schedule_failed") == ["bad"]


def test_why_a_schedule_cannot_run_is_told_once(one, caplog):
    every("good", 10)
    every("bad", 10, task="tasks.nothing")
    for _ in range(5):
        one.tick(after=MINUTE)
    assert told(caplog, "schedule_cannot_run") == ["bad"]
    assert len(slots("good")) > 3


@pytest.mark.parametrize("error", [OperationalError("the server is gone"), RuntimeError("a defect")])
def test_whatever_fails_beat_goes_on(one, monkeypatch, error):
    every("tick", 10)
    one.tick()

    def fail(**_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "take_slots", fail)
        assert one.tick(after=10 * SECOND) == 1.0
    assert Job.objects.count() == 0
    one.tick()
    assert len(slots("tick")) == 1


def test_the_admins_list_shows_when_a_schedule_last_ran(one):
    every("tick", 10)
    Schedule.objects.update(last_slot_at=START)
    marked = PeriodicTasks.last_change()
    one.tick()
    assert PeriodicTask.objects.get().last_run_at == START
    assert PeriodicTasks.last_change() == marked


def test_the_scheduler_of_the_banner_starts_no_loops(one):
    assert [loop.is_alive() for loop in one.scheduler._loops] == [False] * len(one.scheduler._loops)
    one.scheduler.close()
    assert connection.is_usable()
