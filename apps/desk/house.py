"""The state of the house: key figures, sources, queues, failures, and why signals are silent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings

from apps.audit import selectors as audit
from apps.backups import selectors as backups
from apps.desk.types import SourceRow
from apps.forecasts import selectors as forecasts
from apps.markets import selectors as markets
from apps.monitoring import selectors as monitoring
from apps.monitoring.freshness import is_fresh
from apps.monitoring.queues import last_heartbeat, queue_depths
from apps.portfolio import selectors as portfolios
from apps.settlement import selectors as settlements
from apps.sources import selectors as sources
from apps.sources.selectors import FetchStats, SourceView

PERIOD = timedelta(hours=1)
FAILURES_MAX = 4


def key_figures(*, now: datetime) -> dict[str, Any]:
    """Return the counts of the strip at the top."""
    live = markets.markets_table().filter(state="open", closes_at__gt=now)
    return {
        "open_markets": live.count(),
        "open_with_book": live.filter(accepts_orders=True).count(),
        "forecasts": forecasts.forecasts_table().count(),
        "forecast_age_s": forecasts.latest_age_s(now=now),
        "settled": settlements.settlements_table().filter(reversed_at__isnull=True).count(),
        "positions": portfolios.positions_table().filter(state="open").count(),
        "failed_tasks": monitoring.failure_count(),
        "dead_letters": monitoring.parked_count(),
        "audit_events": audit.event_count(),
        "audit_unsealed": audit.unsealed_count(),
        "queue": queue_state(now=now),
    }


def queue_state(*, now: datetime) -> dict[str, Any]:
    """Return queue depths and the age of the heartbeat; `is_away` while Redis cannot be reached."""
    try:
        depths, ticked_at = queue_depths(), last_heartbeat()
    except redis.RedisError:
        return {"is_away": True, "depths": {}, "waiting": None, "heartbeat_age_s": None}
    age_s = None if ticked_at is None else (now - ticked_at).total_seconds()
    return {"is_away": False, "depths": depths, "waiting": sum(depths.values()), "heartbeat_age_s": age_s}


def source_rows(*, now: datetime) -> tuple[SourceRow, ...]:
    """Return every source with its freshness and the last hour's fetches."""
    by_source: dict[str, list[FetchStats]] = defaultdict(list)
    for row in sources.fetch_stats(since=now - PERIOD):
        by_source[row.source].append(row)
    return tuple(source_row(view, by_source[view.slug], now=now) for view in sources.list_sources())


def source_row(view: SourceView, stats: Iterable[FetchStats], *, now: datetime) -> SourceRow:
    """Put one row together."""
    age_s = None if view.last_success_at is None else (now - view.last_success_at).total_seconds()
    counted = list(stats)
    return SourceRow(
        slug=view.slug,
        name=view.name,
        state=view.state,
        reason=view.state_reason or view.last_error,
        age_s=age_s,
        is_fresh=view.fresh_s is None or is_fresh(age_s, view.fresh_s, speed=settings.SCHEDULE_SPEED),
        fetches=sum(row.fetches for row in counted),
        failures=sum(row.failures for row in counted),
    )


def upkeep(*, now: datetime) -> dict[str, Any]:
    """Return failures, backups and the audit chain."""
    backup = (
        backups.backups_table().filter(state="done").order_by("-finished_at").values("id", "finished_at", "size_bytes").first()
    )
    return {
        "failures": monitoring.recent_failures(limit=FAILURES_MAX),
        "failed_tasks": monitoring.failure_count(),
        "dead_letters": monitoring.parked_count(),
        "backup": backup,
        "audit_events": audit.event_count(),
        "audit_unsealed": audit.unsealed_count(),
        "queue": queue_state(now=now),
    }
