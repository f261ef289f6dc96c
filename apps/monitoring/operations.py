"""Figures about the running desk as JSON: operations, cache, errors, uptime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db.models import Aggregate, Avg, Count, FloatField, Max, Min, Q, Sum

from apps.audit import selectors as audit
from apps.backups import selectors as backups
from apps.core.clock import monotonic_s
from apps.core.money import as_text
from apps.forecasts import selectors as forecasts
from apps.jobs import selectors as jobs
from apps.monitoring import selectors
from apps.monitoring.apps import STARTED_S
from apps.monitoring.database import database_figures
from apps.monitoring.queues import cache_hit_rate, queue_depths
from apps.resilience import CacheStatistics
from apps.risk import selectors as risk
from apps.sources import selectors as sources
from apps.tenants import selectors as tenants

PERIOD = timedelta(hours=1)


def performance(*, now: datetime) -> dict[str, Any]:
    """Return how fetches went in the last hour, the cache's hit rate, errors and this process's uptime."""
    return {
        "timestamp": now.isoformat(),
        "uptime_s": round(monotonic_s() - STARTED_S, 1),
        "period_s": PERIOD.total_seconds(),
        "cache": {"hit_rate": reachable(cache_hit_rate)},
        "operations": operations(since=now - PERIOD),
        "vendors": sources.performance().as_dict(),
        "answers": {kind: cache_row(counts) for kind, counts in sources.cache_statistics().items()},
        "errors": {"tasks": failures()},
    }


def cache_row(counts: CacheStatistics) -> dict[str, Any]:
    """Return what the cache of answers did for one kind of them, since the counters began."""
    return {**asdict(counts), "hit_rate": round(counts.hit_rate, 4)}


class Percentile95(Aggregate):
    """PostgreSQL's percentile_cont at 0.95."""

    function = "percentile_cont"
    template = "percentile_cont(0.95) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def operations(*, since: datetime) -> dict[str, dict[str, Any]]:
    """Return how each source's fetches went, times in milliseconds, by `source.operation`."""
    rows = (
        sources.fetch_logs_table()
        .filter(started_at__gte=since)
        .order_by("source_id", "operation")
        .values("source_id", "operation")
    )
    figures: Any = rows.annotate(
        fetches=Count("id"),
        failures=Count("id", filter=~Q(outcome__in=("ok", "incomplete"))),
        records_sum=Sum("records"),
        mean_ms=Avg("duration_ms", output_field=FloatField()),
        p95_ms=Percentile95("duration_ms"),
        min_ms=Min("duration_ms"),
        max_ms=Max("duration_ms"),
    )
    named = ("fetches", "failures", "records_sum", "mean_ms", "p95_ms", "min_ms", "max_ms")
    return {f"{row['source_id']}.{row['operation']}": {name: row[name] for name in named} for row in figures}


def failures() -> dict[str, int]:
    """Return failed executions by task and kind."""
    return {f"{task} {kind}": count for (task, kind), count in sorted(selectors.failures_by_task().items())}


def house(*, now: datetime) -> dict[str, Any]:
    """Return queues, database, sources, audit and failures on one page."""
    figures = database_figures()
    return {
        "timestamp": now.isoformat(),
        "queues": reachable(queue_depths),
        "jobs": {queue: asdict(depth) for queue, depth in jobs.queue_depths(now=now).items()},
        "schedules_overdue": [entry.name for entry in jobs.schedule_standings(now=now, next_runs=0) if entry.is_overdue],
        "database": {"connections": figures.connections, "active": figures.active, "pool_usage": figures.pool_usage_percent},
        "sources": {entry.slug: {"state": entry.state, "age_s": entry.age_s} for entry in sources.list_freshness(now=now)},
        "forecast_age_s": forecasts.latest_age_s(now=now),
        "audit": {"events": audit.event_count(), "unsealed": audit.unsealed_count()},
        "failed_tasks": selectors.failure_count(),
        "dead_letters": selectors.parked_count(),
    }


def reachable(ask: Any) -> Any:
    """Return what Redis tells, or null while it is away: the rest of the page stands."""
    try:
        return ask()
    except redis.RedisError:
        return None


def backup_status(*, now: datetime) -> dict[str, Any]:
    """Return the newest backups and the newest proof that one can be restored."""
    newest = (
        backups.backups_table().order_by("-started_at").values("id", "kind", "state", "size_bytes", "started_at", "finished_at")
    )
    done_at = backups.backups_table().filter(state="done").order_by("-finished_at").values_list("finished_at", flat=True).first()
    return {
        "timestamp": now.isoformat(),
        "last_backup_at": done_at and done_at.isoformat(),
        "age_s": None if done_at is None else (now - done_at).total_seconds(),
        "backups": list(newest[:10]),
    }


def risk_status(*, now: datetime) -> dict[str, Any]:
    """Return limits and stops in force of every tenant."""
    return {
        "timestamp": now.isoformat(),
        "paper_trading": settings.PAPER_TRADING,
        "tenants": {tenant.slug: tenant_risk(tenant.id, now=now) for tenant in tenants.active_tenants()},
    }


def tenant_risk(tenant_id: str, *, now: datetime) -> dict[str, Any]:
    """Return one tenant's limits and stops in force."""
    limits = risk.limits_table().filter(tenant_id=tenant_id).first()
    locks = risk.locks_in_force(tenant_id=tenant_id, now=now)
    return {
        "is_halted": bool(locks),
        "locks": [
            {"name": lock.name, "reason": lock.reason, "set_at": lock.set_at, "expires_at": lock.expires_at} for lock in locks
        ],
        "limits": limits and as_shown(limits),
    }


def as_shown(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return limits as the API shows them: money is a decimal string without `_minor` in its name."""
    return {
        name.removesuffix("_minor"): as_text(value, limits["currency"]) if name.endswith("_minor") else value
        for name, value in limits.items()
    }
