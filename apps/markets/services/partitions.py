"""Keeping the days of quotes ahead of time and within their retention."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from apps.audit import services as audit
from apps.core.db import durable, transaction
from apps.markets import partitions

DAYS_AHEAD = 3


@transaction
def ensure_partitions(*, now: datetime, by: str) -> int:
    """Make the partitions of yesterday, today and the next DAYS_AHEAD days that are missing; return how many were made.

    Yesterday's is for answers that cross midnight on their way.
    """
    made = partitions.ensure_ahead(today=(now - timedelta(days=1)).date(), days=DAYS_AHEAD + 1)
    if made:
        _record("partitions.made", made, now=now, by=by)
    return len(made)


@durable
def drop_old_partitions(*, keep_days: int, now: datetime, by: str) -> int:
    """Drop the quotes of days more than `keep_days` before today for ever; return how many days went.

    Raises ValueError when `keep_days` is not positive.
    """
    if keep_days < 1:
        raise ValueError(f"keep_days must be at least 1, not {keep_days}")
    dropped = partitions.drop_older_than((now - timedelta(days=keep_days)).date())
    if dropped:
        _record_dropped(dropped, now=now, by=by)
    return len(dropped)


@transaction
def _record_dropped(days: tuple[date, ...], *, now: datetime, by: str) -> None:
    _record("partitions.dropped", days, now=now, by=by)


def _record(action: str, days: tuple[date, ...], *, now: datetime, by: str) -> None:
    detail = {"count": len(days), "first": days[0].isoformat(), "last": days[-1].isoformat()}
    audit.record(action=action, subject=partitions.PARENT, by=by, now=now, detail=detail)
