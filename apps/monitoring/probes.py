"""The checks of the health page: each asks one part of the house and judges what it hears.

`shown` is for everybody, `figures` besides for staff. Nothing here holds addresses or names of people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django_redis import get_redis_connection

from apps.backups import selectors as backups
from apps.core.clock import monotonic_s
from apps.forecasts import selectors as forecasts
from apps.forecasts.forecasters import book
from apps.jobs import selectors as jobs
from apps.markets import selectors as markets
from apps.monitoring.database import database_figures
from apps.monitoring.freshness import BACKUP_AGE_MAX, FORECAST_AGE_MAX_S, is_fresh, limit_s, wait_max_s
from apps.monitoring.probing import Probe, with_statement_limit
from apps.monitoring.queues import is_starting, last_heartbeat, queue_depths
from apps.monitoring.types import Check
from apps.sources import selectors as sources
from apps.tenants import selectors as tenants

POOL_USAGE_MAX_PERCENT = 95.0
# A book with more on the bid than on the ask: any model that works says more than the mid of 0.50.
KNOWN_BOOK = book.Ladder(bids=((0.49, 300.0),), asks=((0.51, 100.0),), age_s=0.0)


def readiness_probes() -> Mapping[str, Probe]:
    """Return what must answer before this process may be sent requests."""
    return {"database": database, "redis": redis}


def all_probes(*, now: datetime) -> Mapping[str, Probe]:
    """Return every check of the health page by the name under which it is shown."""
    asking_the_database = {
        "recent_predictions": recent_predictions,
        "sources": source_freshness,
        "backups": latest_backup,
        "schedules": schedules,
    }
    return {
        **readiness_probes(),
        "paper_trading": paper_trading,
        "model_loaded": model_loaded,
        "celery": partial(celery, now=now),
        "queue": queue,
        **{name: partial(with_statement_limit, partial(probe, now=now)) for name, probe in asking_the_database.items()},
    }


def database() -> Check:
    """PostgreSQL answers and the pool has room."""
    figures = with_statement_limit(database_figures)
    return Check(
        is_healthy=figures.pool_usage_percent < POOL_USAGE_MAX_PERCENT,
        shown={"pool_usage": figures.pool_usage_percent, "connections": figures.connections},
        figures=asdict(figures),
    )


def redis() -> Check:
    """Redis answers a ping."""
    started_s = monotonic_s()
    get_redis_connection("strict").ping()
    return Check(is_healthy=True, figures={"ping_ms": round((monotonic_s() - started_s) * 1000, 2)})


def recent_predictions(*, now: datetime) -> Check:
    """The newest forecast is fresh, or there is no open market to forecast."""
    speed: float = settings.SCHEDULE_SPEED
    age_s = forecasts.latest_age_s(now=now)
    open_markets = markets.markets_table().filter(state="open", closes_at__gt=now).count()
    made_at = None if age_s is None else now - timedelta(seconds=age_s)
    return Check(
        is_healthy=not open_markets or is_fresh(age_s, FORECAST_AGE_MAX_S, speed=speed),
        shown={
            "last_prediction": made_at and made_at.isoformat(),
            "age_minutes": None if age_s is None else round(age_s / 60, 2),
        },
        figures={"open_markets": open_markets, "age_max_s": limit_s(FORECAST_AGE_MAX_S, speed=speed)},
    )


def paper_trading() -> Check:
    """The desk trades on paper; it has no other venue, so without paper it does not trade at all."""
    enabled: bool = settings.PAPER_TRADING
    return Check(is_healthy=enabled, shown={"paper_trading_enabled": enabled})


def model_loaded() -> Check:
    """The model behind forecasts is there and says of a known book what it must."""
    said = book.opinion(KNOWN_BOOK, None, life_left=0.5, age_max_s=1.0)
    exists = said is not None and 0.5 < said < 1.0
    return Check(is_healthy=exists, shown={"exists": exists}, figures={"model": book.MODEL, "says": said})


def celery(*, now: datetime) -> Check:
    """A tick went through beat, broker and a worker within the last minute."""
    ticked_at = last_heartbeat()
    depths = queue_depths()
    return Check(
        is_healthy=ticked_at is not None,
        shown={"last_heartbeat": ticked_at and ticked_at.isoformat(), "queued": sum(depths.values())},
        figures={
            "heartbeat_age_s": None if ticked_at is None else round((now - ticked_at).total_seconds(), 1),
            "queues": depths,
        },
    )


def queue() -> Check:
    """No work waits for a worker longer than its queue allows; a desk that has just started is given a minute."""
    has_just_started = is_starting()
    waits = with_statement_limit(jobs.oldest_waits_s)
    late = [name for name, wait_s in waits.items() if wait_s > wait_max_s(name)]
    return Check(
        is_healthy=has_just_started or not late,
        shown={"late": late, "oldest_wait_s": round(max(waits.values(), default=0.0), 1)},
        figures={
            "wait_s": {name: round(wait_s, 1) for name, wait_s in waits.items()},
            "wait_max_s": {name: wait_max_s(name) for name in waits},
            "is_starting": has_just_started,
        },
    )


def source_freshness(*, now: datetime) -> Check:
    """Every source that is on has brought something lately; one that there is nothing to ask of may be silent."""
    speed: float = settings.SCHEDULE_SPEED
    found = sources.list_freshness(now=now)
    idle = frozenset() if markets.outcome_keys_to_watch(now=now) else sources.sources_of_books_alone()
    awaited = [entry for entry in found if entry.state == "on" and entry.slug not in idle]
    stale = [entry.slug for entry in awaited if entry.age_max_s and not is_fresh(entry.age_s, entry.age_max_s, speed=speed)]
    return Check(
        is_healthy=bool(found) and not stale,
        shown={"sources": len(found), "stale": stale},
        figures={
            "age_s": {entry.slug: entry.age_s and round(entry.age_s, 1) for entry in found},
            "states": {entry.slug: entry.state for entry in found},
            "age_max_s": {entry.slug: entry.age_max_s and limit_s(entry.age_max_s, speed=speed) for entry in found},
        },
    )


def latest_backup(*, now: datetime) -> Check:
    """There is a backup of the last day, or the desk is younger than that."""
    made_at = backups.backups_table().filter(state="done").order_by("-finished_at").values_list("finished_at", flat=True).first()
    since = made_at or tenants.tenants_table().order_by("created_at").values_list("created_at", flat=True).first()
    is_young_enough = since is not None and now - since <= BACKUP_AGE_MAX
    return Check(
        is_healthy=is_young_enough,
        shown={"last_backup": made_at and made_at.isoformat()},
        figures={
            "age_max_s": BACKUP_AGE_MAX.total_seconds(),
            "age_s": None if made_at is None else (now - made_at).total_seconds(),
        },
    )


def schedules(*, now: datetime) -> Check:
    """Every schedule that is on can run and has succeeded lately; a new one is given as long as an old one."""
    found = jobs.schedule_standings(now=now, next_runs=0)
    overdue = [standing for standing in found if standing.is_overdue]
    return Check(
        is_healthy=not overdue,
        shown={"schedules": len(found), "overdue": [standing.name for standing in overdue]},
        figures={
            "silent_s": {standing.name: standing.silent_s and round(standing.silent_s, 1) for standing in overdue},
            "alert_after_s": {standing.name: standing.alert_after_s for standing in overdue},
            "faults": {standing.name: standing.fault for standing in overdue if standing.fault},
        },
    )
