"""Changing what a schedule does about missed slots and when it is overdue. Audited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.audit import services as audit
from apps.core.db import transaction
from apps.jobs.errors import ScheduleNotFound, WrongSchedule
from apps.jobs.models import Schedule
from apps.jobs.types import MISFIRES

EDITABLE = ("misfire", "grace_s", "alert_after_s")
SECONDS_MAX = 366 * 24 * 3600


@transaction
def edit_schedule(*, name: str, changes: Mapping[str, Any], by: str, now: datetime) -> None:
    """Set `misfire` (latest, all, skip), `grace_s` or `alert_after_s` (seconds, None for none) of a schedule.

    Raises ScheduleNotFound, and WrongSchedule naming the field.
    """
    for field, value in changes.items():
        _refuse_nonsense(field, value)
    schedule = Schedule.objects.select_for_update().filter(name=name).first()
    if schedule is None:
        raise ScheduleNotFound(f"no schedule {name}")
    before = {field: getattr(schedule, field) for field in changes}
    for field, value in changes.items():
        setattr(schedule, field, value)
    schedule.save(update_fields=list(changes))
    detail = {"before": before, "after": dict(changes)}
    audit.record(action="schedule.edited", subject=name, by=by, now=now, detail=detail)


def _refuse_nonsense(field: str, value: Any) -> None:
    if field not in EDITABLE:
        raise WrongSchedule(f"{field} is not edited here", field=field)
    if field == "misfire":
        if value not in MISFIRES:
            raise WrongSchedule(f"misfire is one of {', '.join(MISFIRES)}", field=field)
    elif value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= SECONDS_MAX):
        raise WrongSchedule(f"{field} is whole seconds from 1 to {SECONDS_MAX}, or none", field=field)
