"""Letting go of old log rows, a batch at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from apps.core.db import durable
from apps.sources.models import ErrandPart, FetchLog, Quarantine

BATCH_ROWS = 10_000  # a delete of this size is over in well under a second and holds no lock for long


@durable
def forget_old_fetches(*, keep_days: int, now: datetime) -> int:
    """Delete fetch log and quarantine rows that are older than `keep_days` and return how many went.

    Errands that nobody went on with go too; they are of no use after minutes, and not counted.
    """
    before = now - timedelta(days=keep_days)
    ErrandPart.objects.filter(kept_at__lt=now - timedelta(days=1)).delete()
    return _delete_fetches(before) + _delete_quarantined(before)


def _delete_fetches(before: datetime) -> int:
    gone = 0
    while ids := list(
        FetchLog.objects.filter(started_at__lt=before).order_by("started_at").values_list("id", flat=True)[:BATCH_ROWS]
    ):
        gone += FetchLog.objects.filter(id__in=ids).delete()[0]
    return gone


def _delete_quarantined(before: datetime) -> int:
    """Quarantined rows are few: faults said again are counted, not kept twice. One statement is enough."""
    return Quarantine.objects.filter(last_seen_at__lt=before).delete()[0]
