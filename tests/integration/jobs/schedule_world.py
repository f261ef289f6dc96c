"""A small day for tests: definitions as staff would make them, and beats that look at given moments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask

from apps.jobs import services as jobs
from apps.jobs.definitions import Definition, read_definitions
from apps.jobs.misfires import Taken
from apps.jobs.models import Job, Schedule

START = datetime(2026, 6, 10, 8, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def every(name: str, every_s: float, *, known_since: datetime = START, **more) -> PeriodicTask:
    """Make a schedule that comes each `every_s` seconds."""
    number, period = (int(every_s), "seconds") if every_s == int(every_s) else (round(every_s * 1_000_000), "microseconds")
    interval, _ = IntervalSchedule.objects.get_or_create(every=number, period=period)
    return _made(name, known_since, interval=interval, **more)


def daily(name: str, hour: int, minute: int, *, known_since: datetime = START, zone: str = "UTC", **more) -> PeriodicTask:
    """Make a schedule that comes once a day."""
    crontab, _ = CrontabSchedule.objects.get_or_create(hour=str(hour), minute=str(minute), timezone=zone)
    return _made(name, known_since, crontab=crontab, **more)


def at(name: str, moment: datetime, *, known_since: datetime = START, **more) -> PeriodicTask:
    """Make a schedule that comes at one moment."""
    clocked = ClockedSchedule.objects.create(clocked_time=moment)
    return _made(name, known_since, clocked=clocked, one_off=True, **more)


def _made(name: str, known_since: datetime, *, kwargs: dict[str, str] | None = None, task: str = "", **more) -> PeriodicTask:
    row = PeriodicTask.objects.create(name=name, task=task or "tasks.upkeep.seal", kwargs=json.dumps(kwargs or {}), **more)
    PeriodicTask.objects.filter(pk=row.pk).update(date_changed=known_since)
    Schedule.objects.get_or_create(name=name)
    return row


def definitions(*names: str) -> tuple[Definition, ...]:
    found = read_definitions(names or None)
    assert found.unusable == ()
    return found.usable


def look(now: datetime, of: Sequence[Definition] | None = None) -> Taken:
    """Let a beat look once."""
    return jobs.take_slots(definitions=definitions() if of is None else of, now=now, by="beat")


def slots(name: str, *states: str) -> list[datetime]:
    """Return the slots of a schedule that have rows, in these states (any, when none is named)."""
    rows = Job.objects.filter(schedule=name, slot_at__isnull=False).order_by("slot_at")
    return [row.slot_at for row in (rows.filter(state__in=states) if states else rows) if row.slot_at]


def story(name: str) -> list[tuple[str, str]]:
    """Return what became of each slot: (state, reason)."""
    return list(Job.objects.filter(schedule=name).order_by("slot_at").values_list("state", "reason"))
