"""Which ticks of the day ask a source: the rows of the schedule, as staff have edited them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django_celery_beat.models import PeriodicTask


def ticks_of(source: str) -> list[tuple[str, dict[str, Any]]]:
    """Return task name and arguments of every enabled tick that names this source."""
    rows = PeriodicTask.objects.filter(enabled=True, kwargs__contains=source).order_by("id").values_list("task", "kwargs")
    found = [(task, json.loads(kwargs)) for task, kwargs in rows]
    return [(task, kwargs) for task, kwargs in found if _asks(kwargs, source)]


def _asks(kwargs: Mapping[str, Any], source: str) -> bool:
    return kwargs.get("source") == source or source in str(kwargs.get("sources", "")).split()
