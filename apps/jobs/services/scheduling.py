"""Turning slots into jobs, by any number of beats at once.

A beat locks the row of a schedule, judges the slots since `handled_until`, writes their jobs and the new `handled_until`
in one transaction. Another beat passes over a locked row and finds nothing new in it afterwards; and a slot that has a
job can have no second one (the unique pair of schedule and slot), even after a clock that stepped back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from django.db import connection
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from apps.core.db import lock_for_transaction, transaction
from apps.jobs.definitions import Definition, Definitions, read_definitions
from apps.jobs.misfires import Policy, Taken, Verdict, judge, keep_rows_for, superseded_by
from apps.jobs.models import Job, Schedule
from apps.jobs.services.enqueuing import insert_jobs
from apps.jobs.slots import MICROSECOND, Clocked, digest_of
from apps.jobs.states import FORGETTABLE
from apps.jobs.types import Misfire, NewJob

log = structlog.get_logger(__name__)

# Two readings of one clock differ by less; more than this ahead, and the clock has stepped back.
CLOCK_STEP = timedelta(seconds=5)
FORGET_SLICE = 1_000  # of each schedule
# `schedule <> ''` says what the index of slots holds; without it the planner does not see that it may use it.
# At each look the newest slot supersedes those before it, so what is left to supersede is near its end.
SUPERSEDE = """
    UPDATE jobs_job SET state = 'skipped', reason = earlier.reason, finished_at = %(now)s
    FROM (
        SELECT found.id, newer.reason
        FROM unnest(%(names)s::text[], %(slots)s::timestamptz[], %(reasons)s::text[]) AS newer (schedule, slot_at, reason),
            LATERAL (
                SELECT id, state FROM jobs_job
                WHERE schedule = newer.schedule AND schedule <> '' AND slot_at < newer.slot_at ORDER BY slot_at DESC LIMIT 20
            ) AS found
        WHERE found.state = 'queued'
    ) AS earlier
    WHERE jobs_job.id = earlier.id AND jobs_job.state = 'queued' AND attempts = 0
"""
NOTE = """
    UPDATE jobs_schedule SET handled_until = looked.until
    FROM unnest(%(names)s::text[], %(until)s::timestamptz[]) AS looked (name, until) WHERE jobs_schedule.name = looked.name
"""
# What is not known of a rhythm (null: it is off, or cannot be read) leaves what was known. A moment fixed by hand never begins
# anew: it counts however it came about.
REMEMBER = """
    UPDATE jobs_schedule AS known SET
        is_on = seen.is_on,
        rhythm = COALESCE(seen.rhythm, known.rhythm),
        handled_until = CASE
            WHEN seen.is_on AND NOT seen.is_moment AND (NOT known.is_on OR known.rhythm NOT IN ('', seen.rhythm))
            THEN GREATEST(handled_until, %(now)s) ELSE handled_until END
    FROM unnest(%(names)s::text[], %(are_on)s::boolean[], %(rhythms)s::text[], %(are_moments)s::boolean[])
        AS seen (name, is_on, rhythm, is_moment)
    WHERE known.name = seen.name
      AND (known.is_on, known.rhythm) IS DISTINCT FROM (seen.is_on, COALESCE(seen.rhythm, known.rhythm))
"""
# For the library's list of schedules in admin; this leaves no mark of a change.
SHOW = """
    UPDATE django_celery_beat_periodictask AS shown SET last_run_at = known.last_slot_at
    FROM jobs_schedule AS known WHERE known.name = shown.name AND shown.last_run_at IS DISTINCT FROM known.last_slot_at
"""
FORGET = """
    DELETE FROM jobs_job WHERE id = ANY(ARRAY(
        SELECT found.id FROM unnest(%(names)s::text[], %(before)s::timestamptz[]) AS old (schedule, before),
            LATERAL (
                SELECT id FROM jobs_job
                WHERE schedule = old.schedule AND schedule <> '' AND slot_at < old.before AND state = ANY(%(states)s)
                ORDER BY slot_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            ) AS found))
"""


@transaction
def take_slots(*, definitions: Sequence[Definition], now: datetime, by: str) -> Taken:
    """Write the jobs of every slot that has come since the last look at these schedules.

    Each definition names its queue. Raises WrongJob for one that makes no job, and then nothing is taken.
    """
    by_name = {definition.name: definition for definition in definitions}
    held = Schedule.objects.select_for_update(skip_locked=True, no_key=True).filter(name__in=list(by_name)).order_by("name")
    looks = [_look(by_name[row.name], row, now) for row in held]
    news = [look for look in looks if look.until is not None]
    _supersede(news, now)
    jobs = [job for look in news for job in look.jobs(now)]
    made = len(insert_jobs(jobs=jobs, now=now, by=by)) if jobs else 0
    gone = _list_let_go(news, now=now, by=by)
    if news:
        _execute(NOTE, {"names": [look.definition.name for look in news], "until": [look.until for look in news]})
    return Taken(looked_at=frozenset(look.definition.name for look in looks), made=made, let_go=gone)


@transaction
def adopt_schedules(*, now: datetime) -> Definitions:
    """Read the definitions, give each its row, drop rows that lost theirs, and return what can run and what cannot.

    A schedule whose times were changed or that was switched on begins anew at `now`: its past is none that was missed. What
    was before stands in its row, so that beats which were restarted, and several of them, know it too.
    """
    lock_for_transaction("jobs.adopt_schedules")  # what one beat reads, another must not overwrite with something older
    are_on = dict(PeriodicTask.objects.values_list("name", "enabled"))
    found = read_definitions()
    Schedule.objects.bulk_create([Schedule(name=name) for name in are_on], ignore_conflicts=True)
    Schedule.objects.exclude(name__in=are_on).delete()
    _execute(REMEMBER, _seen(are_on, found) | {"now": now})
    _execute(SHOW, {})
    return found


def _seen(are_on: Mapping[str, bool], found: Definitions) -> dict[str, list[Any]]:
    rhythms = {definition.name: definition.rhythm for definition in found.usable}
    return {
        "names": list(are_on),
        "are_on": list(are_on.values()),
        "rhythms": [digest_of(rhythms[name]) if name in rhythms else None for name in are_on],
        "are_moments": [isinstance(rhythms.get(name), Clocked) for name in are_on],
    }


@transaction
def forget_ticks(*, definitions: Sequence[Definition], keep_days: int, now: datetime) -> int:
    """Let go of finished jobs of short intervals long before others, and return how many went; at most 1,000 of each schedule."""
    longest = timedelta(days=keep_days)
    keeps = {definition.name: keep_rows_for(definition.rhythm, longest=longest) for definition in definitions}
    names = [name for name, keep in keeps.items() if keep < longest]
    values = {"names": names, "before": [now - keeps[name] for name in names], "states": list(FORGETTABLE)}
    return _execute(FORGET, values | {"limit": FORGET_SLICE})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One schedule as found, with what becomes of its slots."""

    definition: Definition
    policy: Policy
    verdict: Verdict
    until: datetime | None

    def jobs(self, now: datetime) -> list[NewJob]:
        """Build a job for each slot that is taken. A thousand made at once are not too late when they begin."""
        of = self.definition
        is_urgent = of.start_within is not None and self.policy.misfire != "all"
        start_by = now + of.start_within if is_urgent and of.start_within is not None else None
        return [
            NewJob(
                task=of.task, queue=of.queue, kwargs=of.kwargs, scope=of.scope, priority=of.priority, start_by=start_by,
                schedule=of.name, slot_at=slot_at, source=str(of.kwargs.get("source", "")),
            )
            for slot_at in self.verdict.taken
        ]  # fmt: skip


def _look(definition: Definition, row: Schedule, now: datetime) -> _Look:
    policy = Policy(misfire=cast(Misfire, row.misfire), grace=None if row.grace_s is None else timedelta(seconds=row.grace_s))
    after = _after(definition, row, now)
    verdict = judge(definition.rhythm, after=definition.opened(after), until=definition.closed(now), now=now, policy=policy)
    if definition.is_one_off and verdict.taken:
        verdict = _spend(definition, verdict)
    if verdict.unlisted_until is not None:
        log.warning("slots_let_go", schedule=definition.name, after=str(after), until=str(verdict.unlisted_until))
    has_stepped_back = row.handled_until is not None and after < row.handled_until
    return _Look(
        definition=definition,
        policy=policy,
        verdict=verdict,
        until=verdict.handled_until or (after if has_stepped_back else None),
    )


def _after(definition: Definition, row: Schedule, now: datetime) -> datetime:
    """Return the moment after which slots are new. A moment fixed by hand counts even when it was past as it was entered."""
    if row.handled_until is None:
        at = definition.rhythm.at - MICROSECOND if isinstance(definition.rhythm, Clocked) else definition.known_since
        return min(at, now)
    if row.handled_until > now + CLOCK_STEP:
        log.warning("clock_stepped_back", schedule=row.name, handled_until=str(row.handled_until))
        return now
    return row.handled_until


def _spend(definition: Definition, verdict: Verdict) -> Verdict:
    """Let a schedule that runs once take its first slot and switch it off; only the beat that switches it off takes it."""
    switched = PeriodicTask.objects.filter(name=definition.name, enabled=True).update(enabled=False)
    if not switched:
        return Verdict()
    PeriodicTasks.update_changed()
    return Verdict(taken=verdict.taken[:1])


def _list_let_go(looks: Sequence[_Look], *, now: datetime, by: str) -> int:
    """Write a skipped row for each slot that becomes no job, so that the history of a schedule has no holes."""
    rows = [
        Job(
            task=look.definition.task, kwargs=look.definition.kwargs, queue=look.definition.queue, schedule=look.definition.name,
            slot_at=gone.slot_at, state="skipped", reason=gone.reason, next_try_at=None, made_at=now, made_by=by, finished_at=now,
        )
        for look in looks
        for gone in look.verdict.let_go
    ]  # fmt: skip
    Job.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _supersede(looks: Sequence[_Look], now: datetime) -> None:
    """Skip queued jobs of earlier slots where only the newest counts; what somebody has begun comes to its end."""
    latest = [look for look in looks if look.policy.misfire == "latest" and look.verdict.taken]
    if latest:
        superseded = {
            "names": [look.definition.name for look in latest],
            "slots": [look.verdict.taken[-1] for look in latest],
            "reasons": [superseded_by(look.verdict.taken[-1]) for look in latest],
        }
        _execute(SUPERSEDE, superseded | {"now": now})


def _execute(statement: str, values: dict[str, Any]) -> int:
    """Run the statement and return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
