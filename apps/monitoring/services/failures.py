"""Writing down that a task failed, without ever failing itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.db import Error as DatabaseAway

from apps.core.commands import first_line
from apps.core.db import durable
from apps.core.masking import masked, masked_text, masked_trace
from apps.monitoring.kinds import kind_of
from apps.monitoring.models import TaskFailure

log = structlog.get_logger(__name__)

ERROR_LENGTH_MAX = 300


@durable
def record_failure(*, task: str, task_id: str, kwargs: Mapping[str, Any], error: BaseException, now: datetime) -> None:
    """Store one failed execution, secrets masked, classified by the tree of core.errors.

    Never raises for a database that is away: the failure then lives in the log only.
    """
    kind = kind_of(error)
    text = masked_text(f"{type(error).__name__}: {first_line(error)}")[:ERROR_LENGTH_MAX]
    write = log.info if kind == "expected" else log.error
    write("task_failed", task=task, task_id=task_id, kind=kind, error=text)
    try:
        TaskFailure.objects.create(
            task=task[:120],
            task_id=task_id[:60],
            kwargs=masked(kwargs),
            error=text,
            kind=kind,
            trace=masked_trace(error),
            at=now,
        )
    except DatabaseAway as away:
        log.warning("task_failure_not_stored", task=task, task_id=task_id, reason=type(away).__name__)
