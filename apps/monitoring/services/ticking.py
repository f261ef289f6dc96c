"""Ringing the ticks of one source now, without waiting for the clock."""

from __future__ import annotations

from datetime import datetime

from apps.audit.services import record
from apps.core import bell
from apps.core.db import transaction
from apps.monitoring.ringing import ticks_of


@transaction
def ring_ticks(*, source: str, by: str, now: datetime) -> int:
    """Ring every enabled tick of the schedule that asks this source, and return how many there are."""
    ticks = ticks_of(source)
    for task, kwargs in ticks:
        bell.ring(task, **kwargs)
    record(action="source.rung", subject=source, by=by, now=now, detail={"ticks": len(ticks)})
    return len(ticks)
