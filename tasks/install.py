"""Writing the day into django-celery-beat's tables, without undoing what staff have edited."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import Q
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from tasks.schedule import DAILY, Daily, Interval, Symbols, intervals

# A tick that has not begun for this many intervals is skipped: a newer one does its work.
EXPIRE_AFTER_INTERVALS = 5
EXPIRE_AT_LEAST_S = 10
CELERYS_OWN = "celery.backend_cleanup"  # there are no results to clean up
DESIGNED, AT_REST = "as designed", "at rest"  # how the descriptions of our own rows begin


@transaction.atomic
def install_schedule(*, speed: float, symbols: Symbols, sources_on: Collection[str]) -> int:
    """Write every entry of the day for this speed and return how many rows were made or changed.

    An entry whose row already says the same speed is left alone, so that edits made in admin stay. Ticks of a source
    that is off rest and come back with it.
    """
    entries: tuple[Interval | Daily, ...] = (*intervals(symbols), *DAILY)
    changed = _drop_retired({entry.name for entry in entries})
    for entry in entries:
        if entry.asks and not set(entry.asks) & set(sources_on):
            changed += _put_to_rest(entry.name, entry.asks)
        elif isinstance(entry, Interval):
            changed += _put_interval(entry, speed)
        else:
            changed += _put_daily(entry)
    if changed:
        PeriodicTasks.update_changed()  # bulk changes leave no mark of their own, and beats look for it
    return changed


def _drop_retired(names: Collection[str]) -> int:
    """Delete rows that an earlier version of the day, or Celery's own beat, left behind; what staff made stays."""
    ours = Q(description__startswith=DESIGNED) | Q(description__startswith=AT_REST) | Q(name=CELERYS_OWN)
    gone: int = PeriodicTask.objects.filter(ours).exclude(name__in=names).delete()[0]
    return gone


def _put_to_rest(name: str, asks: tuple[str, ...]) -> bool:
    """Disable the row of a tick whose sources are off, if there is one. Its new description lets it be made anew later."""
    rows = PeriodicTask.objects.filter(name=name, enabled=True)
    return bool(rows.update(enabled=False, description=f"{AT_REST}: {', '.join(asks)} off"))


def _put_interval(entry: Interval, speed: float) -> bool:
    seconds = entry.seconds(speed)
    made_for = f"{DESIGNED}, at speed {speed:g}"
    schedule, _ = IntervalSchedule.objects.get_or_create(**_every(seconds))
    expire_s = max(EXPIRE_AT_LEAST_S, round(seconds * EXPIRE_AFTER_INTERVALS))
    return _put(
        entry.name,
        made_for,
        {
            "task": entry.task,
            "queue": entry.queue,
            "kwargs": json.dumps(dict(entry.kwargs)),
            "interval": schedule,
            "crontab": None,
            "expire_seconds": expire_s,
        },
    )


def _every(seconds: float) -> dict[str, Any]:
    """Return the interval in django-celery-beat's words: whole seconds, or microseconds for what has a fraction."""
    if seconds == int(seconds):
        return {"every": int(seconds), "period": IntervalSchedule.SECONDS}
    return {"every": round(seconds * 1_000_000), "period": IntervalSchedule.MICROSECONDS}


def _put_daily(entry: Daily) -> bool:
    schedule, _ = CrontabSchedule.objects.get_or_create(
        minute=str(entry.minute),
        hour=str(entry.hour),
        day_of_week=entry.day_of_week,
        day_of_month=entry.day_of_month,
        month_of_year="*",
        timezone="UTC",
    )
    return _put(
        entry.name,
        DESIGNED,
        {
            "task": entry.task,
            "queue": entry.queue,
            "kwargs": json.dumps(dict(entry.kwargs)),
            "crontab": schedule,
            "interval": None,
        },
    )


def _put(name: str, made_for: str, values: dict[str, Any]) -> bool:
    if PeriodicTask.objects.filter(name=name, description=made_for).exists():
        return False
    PeriodicTask.objects.update_or_create(name=name, defaults={**values, "description": made_for, "enabled": True})
    return True
