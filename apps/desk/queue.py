"""The queue page: what waits and runs, what waits for a pace, how the schedules do, and what waits for a person."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings

from apps.desk.types import PacedRow, QueueRow
from apps.jobs import selectors, services
from apps.jobs.figures import DeadLetter, QueueDepth, QueueTimes, ScheduleStanding
from apps.monitoring.queues import queue_depths
from apps.resilience import KitError
from apps.sources import selectors as sources

PERIOD = timedelta(hours=1)
RUNNING_MAX = 20
LETTERS_MAX = 50


def picture(*, now: datetime, may_act: bool) -> dict[str, Any]:
    """Return everything that the page shows. Traces of dead letters are only for those who may act."""
    rows, is_away = queue_rows(now=now)
    standings = selectors.schedule_standings(now=now)
    letters = selectors.dead_letters(limit=LETTERS_MAX, with_trace=may_act)
    return {
        "queues": rows,
        "is_away": is_away,
        "totals": totals(rows, standings),
        "running": selectors.running_jobs(now=now, limit=RUNNING_MAX),
        "paced": paced_rows(),
        "schedules": standings,
        "overdue": [standing for standing in standings if standing.is_overdue],
        "letters": letters,
        "letters_mark": mark_of(letters),
        "may_act": may_act,
        "speed": settings.SCHEDULE_SPEED,
    }


def queue_rows(*, now: datetime) -> tuple[tuple[QueueRow, ...], bool]:
    """Return every queue with its rows, messages and times, and whether the broker is away: messages are unknown then."""
    try:
        messages, is_away = queue_depths(), False
    except redis.RedisError:
        messages, is_away = {}, True
    depths, times = selectors.queue_depths(now=now), selectors.queue_times(since=now - PERIOD)
    names = dict.fromkeys((*(queue.name for queue in settings.CELERY_TASK_QUEUES), *depths, *times))
    return tuple(_queue_row(name, depths, times, messages.get(name)) for name in names), is_away


def _queue_row(name: str, depths: Mapping[str, QueueDepth], times: Mapping[str, QueueTimes], messages: int | None) -> QueueRow:
    depth = depths.get(name) or QueueDepth(queue=name)
    time = times.get(name) or QueueTimes(queue=name, done=0, looked_at=0, wait_s={}, run_s={})
    return QueueRow(
        name=name,
        waiting=depth.waiting,
        later=depth.later,
        running=depth.running,
        parked=depth.parked,
        messages=messages,
        oldest_wait_s=depth.oldest_wait_s,
        done=time.done,
        wait_p50_s=time.wait_s.get(0.5),
        wait_p95_s=time.wait_s.get(0.95),
        run_p50_s=time.run_s.get(0.5),
        run_p95_s=time.run_s.get(0.95),
    )


def totals(rows: Sequence[QueueRow], standings: Sequence[ScheduleStanding]) -> dict[str, Any]:
    """Add up what stands in the strip at the top."""
    return {
        "waiting": sum(row.waiting for row in rows),
        "later": sum(row.later for row in rows),
        "running": sum(row.running for row in rows),
        "parked": sum(row.parked for row in rows),
        "done": sum(row.done for row in rows),
        "messages": sum(row.messages or 0 for row in rows),
        "oldest_wait_s": max((row.oldest_wait_s for row in rows if row.oldest_wait_s is not None), default=None),
        "schedules": len(standings),
        "overdue": sum(standing.is_overdue for standing in standings),
    }


def paced_rows() -> tuple[PacedRow, ...] | None:
    """Return the sources for which work waits, with the tenants that it waits for, the longest line first.

    None while Redis is away: nobody knows then.
    """
    lines: dict[str, dict[str, int]] = defaultdict(dict)
    try:
        for line in sources.list_waiting():
            lines[line.source][line.tenant] = line.count
    except KitError:
        return None
    paces = {breaker.slug: breaker for breaker in sources.list_breakers()} if lines else {}
    rows = [_paced_row(slug, tenants, paces.get(slug)) for slug, tenants in lines.items()]
    return tuple(sorted(rows, key=lambda row: (-row.waiting, row.source)))


def _paced_row(slug: str, tenants: Mapping[str, int], pace: sources.BreakerView | None) -> PacedRow:
    return PacedRow(
        source=slug,
        waiting=sum(tenants.values()),
        tenants=tuple(sorted(tenants.items(), key=lambda item: (-item[1], item[0]))),
        per_minute=pace.per_minute if pace else None,
        per_minute_published=pace.per_minute_published if pace else None,
    )


def mark_of(letters: Sequence[DeadLetter]) -> str:
    """Return a mark that changes with the list of dead letters, so that the page renews it only then.

    A trace that somebody has unfolded to read stays unfolded.
    """
    return f"{zlib.crc32(' '.join(letter.id for letter in letters).encode()):08x}"


def replay(*, job_id: str, by: str, now: datetime) -> str:
    """Put parked work back into its queue."""
    services.replay(job_id=job_id, by=by, now=now)
    return "back in its queue with all its attempts"


def discard(*, job_id: str, by: str, now: datetime) -> str:
    """Let parked work go."""
    services.discard(job_id=job_id, by=by, now=now)
    return "discarded"


DEEDS: Mapping[str, Callable[..., str]] = {"replay": replay, "discard": discard}
