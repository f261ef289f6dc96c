"""Slots become jobs: policies, grace, edits, moments, clocks that step, in the real tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from apps.jobs import services as jobs
from apps.jobs.errors import WrongJob
from apps.jobs.misfires import LISTED_MAX, Taken
from apps.jobs.models import Job, Schedule
from apps.jobs.slots import slots_between
from tests.integration.jobs.jobs_world import at_once
from tests.integration.jobs.schedule_world import HOUR, MINUTE, SECOND, START, at, daily, definitions, every, look, slots, story

pytestmark = pytest.mark.django_db
BACKUP: dict[str, Any] = {"task": "tasks.backup.take", "kwargs": {"kind": "daily"}}


def nominal(name: str, after: datetime, until: datetime) -> list[datetime]:
    return list(slots_between(definitions(name)[0].rhythm, after, until))


def policy(name: str, **terms) -> None:
    Schedule.objects.filter(name=name).update(**terms)


def test_a_slot_becomes_a_job_with_everything_that_its_definition_says():
    daily("backup", 8, 30, **BACKUP, priority=7, expire_seconds=600)
    now = START + 30 * MINUTE + SECOND
    assert look(now) == Taken(looked_at=frozenset({"backup"}), made=1, let_go=0)
    job = Job.objects.get()
    assert (job.task, job.kwargs, job.queue, job.priority) == ("tasks.backup.take", {"kind": "daily"}, "backup", 7)
    assert (job.schedule, job.slot_at, job.made_at, job.made_by) == ("backup", START + 30 * MINUTE, now, "beat")
    assert (job.scope, job.start_by, job.state) == ('tasks.backup.take {"kind":"daily"}', now + 10 * MINUTE, "queued")
    assert Schedule.objects.get().handled_until == START + 30 * MINUTE


def test_a_second_look_makes_nothing():
    every("tick", 10)
    now = START + 10 * SECOND
    assert look(now).made == 1
    assert (look(now).made, look(now + MINUTE / 60).made, Job.objects.count()) == (0, 0, 1)


def test_nothing_is_written_before_its_slot():
    daily("backup", 8, 30, **BACKUP)
    assert look(START + 29 * MINUTE) == Taken(looked_at=frozenset({"backup"}))
    assert (Job.objects.count(), Schedule.objects.get().handled_until) == (0, None)


def test_a_schedule_that_nobody_adopted_is_asked_for_again():
    every("tick", 10)
    of = definitions()
    Schedule.objects.all().delete()
    assert look(START + MINUTE, of) == Taken()
    jobs.adopt_schedules(now=START)
    assert look(START + MINUTE, of).made == 1


def test_six_hours_down_over_a_daily_job_are_caught_up_once():
    daily("backup", 8, 30, **BACKUP)
    down_since, back = START, START + 6 * HOUR
    look(down_since)
    assert look(back).made == 1
    assert slots("backup") == [START + 30 * MINUTE]
    assert [look(back + number * SECOND).made for number in range(1, 30)] == [0] * 29


def test_latest_leaves_one_job_and_a_row_for_every_slot_it_stands_for():
    every("tick", 10)
    look(START)
    assert look(START + MINUTE).made == 1
    assert slots("tick") == nominal("tick", START, START + MINUTE)
    states = [state for state, _ in story("tick")]
    assert states == ["skipped"] * 5 + ["queued"]
    assert {reason for state, reason in story("tick") if state == "skipped"} == {
        f"superseded by {slots('tick')[-1]:%Y-%m-%d %H:%M:%S} UTC"
    }


def test_a_queued_job_gives_way_to_a_newer_slot_and_one_that_has_begun_does_not():
    every("tick", 10)
    for number in range(1, 4):
        look(START + number * 10 * SECOND)
        if number == 1:
            Job.objects.update(attempts=1)
    assert [state for state, _ in story("tick")] == ["queued", "skipped", "queued"]


def test_all_makes_each_and_they_are_not_too_late_for_it():
    every("tick", 10, expire_seconds=10)
    policy("tick", misfire="all")
    assert look(START + 6 * MINUTE).made == 36
    assert slots("tick", "queued") == nominal("tick", START, START + 6 * MINUTE)
    assert set(Job.objects.values_list("start_by", flat=True)) == {None}


def test_skip_makes_nothing_up():
    daily("backup", 8, 30, **BACKUP)
    policy("backup", misfire="skip")
    assert look(START + HOUR) == Taken(looked_at=frozenset({"backup"}), made=0, let_go=1)
    assert story("backup") == [("skipped", "missed, and not made up")]
    assert look(START + 24 * HOUR + 30 * MINUTE + 2 * SECOND).made == 1


def test_a_slot_past_its_grace_is_explained_and_not_run():
    daily("backup", 8, 30, **BACKUP)
    policy("backup", grace_s=1800)
    assert look(START + 2 * HOUR).made == 0
    assert story("backup") == [("skipped", "missed by more than its grace of 1800 s")]


def test_a_month_of_missed_seconds_leaves_a_hundred_rows_and_one_job():
    every("tick", 1)
    taken = look(START + 30 * 24 * HOUR)
    assert (taken.made, taken.let_go, Job.objects.count()) == (1, LISTED_MAX, LISTED_MAX + 1)


def test_a_clock_that_steps_back_runs_nothing_twice():
    every("tick", 60)
    daily("backup", 8, 30, **BACKUP)
    of = definitions()
    for minute in range(61):
        look(START + minute * MINUTE, of)
    made = Job.objects.count()
    assert made == 61
    assert [look(START + minute * MINUTE, of).made for minute in range(20, 61)] == [0] * 41
    assert Job.objects.count() == made
    assert look(START + 61 * MINUTE, of).made == 1


def test_a_clock_that_was_years_ahead_silences_nothing():
    every("tick", 10)
    look(START)
    ahead = START + 3650 * 24 * HOUR
    assert look(ahead).made == 1
    assert look(START + MINUTE).made == 0
    assert look(START + MINUTE + 10 * SECOND).made == 1


def test_a_clock_that_steps_forward_is_an_outage():
    every("tick", 10)
    look(START + 10 * SECOND)
    assert look(START + 4 * HOUR).made == 1
    assert len(slots("tick", "queued")) == 1


def test_a_moment_comes_once_and_switches_its_schedule_off():
    at("once", START + MINUTE)
    of, marked = definitions(), PeriodicTasks.last_change()
    assert look(START, of).made == 0
    assert look(START + MINUTE, of).made == 1
    assert PeriodicTask.objects.get().enabled is False
    assert PeriodicTasks.last_change() > marked
    assert [look(START + MINUTE + number * SECOND, of).made for number in range(5)] == [0] * 5


def test_a_moment_that_was_past_when_it_was_entered_still_comes():
    at("once", START - MINUTE)
    assert look(START).made == 1
    assert slots("once") == [START - MINUTE]


def test_an_interval_that_runs_once_takes_its_first_slot_only():
    every("once", 10, one_off=True)
    of = definitions()
    assert [look(START + number * 10 * SECOND, of).made for number in range(1, 5)] == [1, 0, 0, 0]


def test_a_schedule_keeps_to_its_start_and_its_end():
    start, end = START + 30 * SECOND, START + MINUTE
    every("tick", 10, start_time=start, expires=end)
    for second in range(0, 120, 2):
        look(START + second * SECOND)
    made = slots("tick")
    assert made == nominal("tick", start - SECOND / 1000, end - SECOND / 1000)
    assert len(made) == 3


def test_a_change_of_times_leaves_no_past_to_catch_up_with():
    daily("backup", 8, 30, **BACKUP)
    jobs.adopt_schedules(now=START)
    look(START + 31 * MINUTE)
    PeriodicTask.objects.all().delete()
    daily("backup", 9, 0, **BACKUP)
    noon = START + 4 * HOUR
    jobs.adopt_schedules(now=noon)
    assert look(noon + SECOND).made == 0
    assert look(START + 25 * HOUR + SECOND).made == 1


def test_rows_of_schedules_follow_the_definitions():
    every("tick", 10)
    Schedule.objects.create(name="forgotten")
    every("other", 10, enabled=False)
    Schedule.objects.filter(name="other").delete()
    jobs.adopt_schedules(now=START)
    assert set(Schedule.objects.values_list("name", flat=True)) == {"tick", "other"}


def test_what_beats_remember_of_a_schedule_changes_with_it_alone():
    row = every("tick", 10)
    at("once", START + HOUR)
    jobs.adopt_schedules(now=START)
    known = dict(Schedule.objects.values_list("name", "rhythm"))
    assert {len(rhythm) for rhythm in known.values()} == {32}
    jobs.adopt_schedules(now=START + MINUTE)
    PeriodicTask.objects.filter(pk=row.pk).update(description="seen every ten seconds", kwargs='{"of": "other"}')
    jobs.adopt_schedules(now=START + 2 * MINUTE)
    assert dict(Schedule.objects.values_list("name", "rhythm")) == known
    assert set(Schedule.objects.values_list("handled_until", "is_on")) == {(None, True)}
    row.enabled = False
    row.save()
    jobs.adopt_schedules(now=START + 3 * MINUTE)
    assert dict(Schedule.objects.values_list("name", "is_on")) == {"tick": False, "once": True}
    assert dict(Schedule.objects.values_list("name", "rhythm")) == known


def test_a_schedule_that_could_not_be_read_for_a_while_is_caught_up_with():
    row = every("tick", 60)
    jobs.adopt_schedules(now=START)
    look(START + 2 * MINUTE)
    PeriodicTask.objects.filter(pk=row.pk).update(task="tasks.of_the_next_version")
    assert [unusable.name for unusable in jobs.adopt_schedules(now=START + 3 * MINUTE).unusable] == ["tick"]
    PeriodicTask.objects.filter(pk=row.pk).update(task=row.task)
    assert jobs.adopt_schedules(now=START + HOUR).unusable == ()
    assert look(START + HOUR).made == 1


@pytest.mark.django_db(transaction=True)
def test_beats_that_read_at_once_agree_on_what_they_saw():
    row = every("tick", 10)
    jobs.adopt_schedules(now=START)
    row.enabled = False
    row.save()
    at_once(4, lambda number: jobs.adopt_schedules(now=START + number * SECOND))
    row.enabled = True
    row.save()
    at_once(4, lambda number: jobs.adopt_schedules(now=START + HOUR + number * SECOND))
    schedule = Schedule.objects.get()
    assert schedule.is_on
    # The first of them let it begin anew, whichever that was; the others found nothing new.
    assert schedule.handled_until in {START + HOUR + number * SECOND for number in range(4)}
    before = schedule.handled_until
    jobs.adopt_schedules(now=START + 2 * HOUR)
    assert Schedule.objects.get().handled_until == before


def test_a_definition_that_makes_no_job_takes_nothing_with_it():
    every("good", 10)
    every("bad", 10, priority=255)
    of = definitions()
    PeriodicTask.objects.filter(name="bad").update(priority=5000)
    with pytest.raises(WrongJob):
        look(START + MINUTE, definitions())
    assert (Job.objects.count(), Schedule.objects.exclude(handled_until=None).count()) == (0, 0)
    assert look(START + MINUTE, of).made == 2


def test_short_ticks_are_forgotten_early_and_daily_jobs_are_not():
    every("tick", 1)
    daily("backup", 8, 0, **BACKUP, known_since=START - HOUR)
    for minute in range(21):
        look(START + minute * MINUTE + SECOND / 2)
    Job.objects.filter(state="queued").exclude(slot_at__gt=START + 19 * MINUTE).update(state="done", finished_at=START)
    now = START + 20 * MINUTE
    gone = jobs.forget_ticks(definitions=definitions(), keep_days=14, now=now)
    assert gone > 500
    assert min(slots("tick")) >= now - 10 * MINUTE
    assert slots("backup") == [START]
    assert jobs.forget_ticks(definitions=definitions(), keep_days=14, now=now) == 0


def test_what_waits_for_a_person_is_not_forgotten():
    every("tick", 1)
    look(START + MINUTE)
    Job.objects.filter(state="queued").update(state="parked", finished_at=START)
    jobs.forget_ticks(definitions=definitions(), keep_days=14, now=START + timedelta(days=1))
    assert [state for state, _ in story("tick")] == ["parked"]
