"""Definitions of schedules, read from django-celery-beat's tables into frozen values. The read side of beat.

Staff edit them in admin. What cannot be run is told with its reason instead of being passed over in silence.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any

from celery import current_app
from django.db import connection
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from apps.jobs.arguments import as_json
from apps.jobs.batching import is_batch
from apps.jobs.errors import WrongJob
from apps.jobs.slots import LONGEST_US, MICROSECOND, Clocked, Crontab, Every, Rhythm, offset_us

SCOPE_LENGTH_MAX = 200
# As often as beat looks. Slots of a schedule that comes more often would be made faster than any worker drains them.
LEAST_US = timedelta(seconds=0.1) // MICROSECOND
CLOCK = "SELECT clock_timestamp(), (SELECT last_update FROM django_celery_beat_periodictasks WHERE ident = 1)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One schedule that can run."""

    name: str
    task: str
    rhythm: Rhythm
    kwargs: dict[str, Any] = field(default_factory=dict, hash=False)
    queue: str
    priority: int = 0
    known_since: datetime
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    start_within: timedelta | None = None
    is_one_off: bool = False

    @property
    def scope(self) -> str:
        """Return the scope of its jobs, of which one runs at a time; none for batch tasks, which share out rows."""
        return "" if is_batch(self.task) else scope_of(self.task, self.kwargs)

    def opened(self, after: datetime) -> datetime:
        """Return `after`, or the moment just before the schedule's start when that is later."""
        return after if self.starts_at is None else max(after, self.starts_at - MICROSECOND)

    def closed(self, until: datetime) -> datetime:
        """Return `until`, or the last moment before the schedule's end when that is earlier."""
        return until if self.ends_at is None else min(until, self.ends_at - MICROSECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A schedule that cannot run, and why: for the log and the alert."""

    name: str
    task: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """Everything that is switched on, told apart by whether it can run."""

    usable: tuple[Definition, ...] = ()
    unusable: tuple[Unusable, ...] = ()


def scope_of(task: str, kwargs: dict[str, Any]) -> str:
    """Return the scope of work that must not run twice at once: the task with its arguments, shortened when long."""
    text = f"{task} {json.dumps(kwargs, sort_keys=True, separators=(',', ':'))}"
    if len(text) <= SCOPE_LENGTH_MAX:
        return text
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: SCOPE_LENGTH_MAX - len(digest) - 1]} {digest}"


def read_clock() -> tuple[datetime, datetime | None]:
    """Return the database's present moment and when definitions were last changed (None: never), in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(CLOCK)
        ((now, changed_at),) = cursor.fetchall()
    return now.astimezone(UTC), changed_at


def read_definitions(names: Sequence[str] | None = None) -> Definitions:
    """Return the schedules that are switched on (of these names), in the order of their names."""
    rows = PeriodicTask.objects.filter(enabled=True).select_related("interval", "crontab", "clocked", "solar").order_by("name")
    tasks = _tasks_of_the_desk()
    usable, unusable = [], []
    for row in rows if names is None else rows.filter(name__in=names):
        try:
            usable.append(_definition(row, tasks))
        except (ValueError, TypeError, OverflowError, RecursionError, WrongJob) as error:
            unusable.append(Unusable(name=row.name, task=row.task, reason=str(error)))
    return Definitions(usable=tuple(usable), unusable=tuple(unusable))


def crontab_of(row: CrontabSchedule) -> Crontab:
    """Return the rhythm that such a row means. Raises ValueError when it cannot be read, or never comes."""
    return Crontab(
        minute=row.minute,
        hour=row.hour,
        day_of_month=row.day_of_month,
        month_of_year=row.month_of_year,
        day_of_week=row.day_of_week,
        zone=str(row.timezone),
    )


def interval_of(row: IntervalSchedule) -> int:
    """Return the microseconds that such a row means. Raises ValueError for less than 0.1 s and for more than ten years."""
    try:
        every_us = timedelta(**{row.period: row.every}) // MICROSECOND
    except OverflowError:
        every_us = LONGEST_US + 1
    if not LEAST_US <= every_us <= LONGEST_US:
        raise ValueError(f"{row}: an interval is at least 0.1 seconds and at most ten years")
    return every_us


def _definition(row: PeriodicTask, tasks: Collection[str]) -> Definition:
    if row.task not in tasks:
        raise ValueError(f"there is no task {row.task}")
    if json.loads(row.args or "[]"):
        raise ValueError("its arguments have no names; tasks take keyword arguments only")
    kwargs = json.loads(row.kwargs or "{}")
    if not isinstance(kwargs, dict):
        raise TypeError("its keyword arguments are no JSON object")
    as_json(kwargs)
    if row.expire_seconds == 0:
        raise ValueError("its jobs expire after 0 seconds: each would be too late")
    return Definition(
        name=row.name,
        task=row.task,
        rhythm=_rhythm(row),
        kwargs=kwargs,
        queue=_queue(row),
        priority=row.priority or 0,
        known_since=row.date_changed,
        starts_at=row.start_time,
        ends_at=row.expires,
        start_within=None if row.expire_seconds is None else timedelta(seconds=row.expire_seconds),
        is_one_off=row.one_off,
    )


def _queue(row: PeriodicTask) -> str:
    """Return the queue that the row names, or else its task's route."""
    if row.queue and row.queue not in current_app.amqp.queues:
        raise ValueError(f"there is no queue {row.queue}")
    return row.queue or str(current_app.amqp.router.route({}, row.task)["queue"].name)


def _tasks_of_the_desk() -> set[str]:
    """Return the names of our own tasks; Celery's, such as its clean-up of results, know nothing of jobs."""
    return {name for name in _registry() if not name.startswith("celery.")}


@cache
def _registry() -> Mapping[str, Any]:
    """Return Celery's tasks by name; a web process has not loaded them, it sends messages by name."""
    current_app.loader.import_default_modules()
    tasks: Mapping[str, Any] = current_app.tasks
    return tasks


def _rhythm(row: PeriodicTask) -> Rhythm:
    if row.interval:
        every_us = interval_of(row.interval)
        return Every(every_us=every_us, offset_us=offset_us(row.name, every_us))
    if row.crontab:
        return crontab_of(row.crontab)
    if row.clocked:
        return Clocked(at=row.clocked.clocked_time)
    if row.solar:
        raise ValueError("it follows the sun, which this desk does not support; use a crontab in a time zone")
    raise ValueError("it has no interval, crontab or moment")
