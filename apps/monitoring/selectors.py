"""Reading what went wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from apps.monitoring.models import DeadLetter, TaskFailure
from apps.monitoring.types import DeadLetterView, FailureView

# Expected errors are answers, not failures: they are kept for reading and left out of the counts that must be zero.
HARMLESS_KINDS = ("expected", "transient")


def failure_count(*, since: datetime | None = None) -> int:
    """Return how many executions failed that should not have (broken, unknown and unexpected ones)."""
    failures = TaskFailure.objects.exclude(kind__in=HARMLESS_KINDS)
    return (failures.filter(at__gte=since) if since else failures).count()


def failures_by_task() -> dict[tuple[str, str], int]:
    """Return the number of failed executions per (task, kind) since the beginning."""
    rows = TaskFailure.objects.values_list("task", "kind").annotate(n=Count("id")).order_by()
    return {(task, kind): n for task, kind, n in rows}


def recent_failures(*, limit: int) -> tuple[FailureView, ...]:
    """Return the newest failed executions."""
    return tuple(
        FailureView(id=row.id, task=row.task, kind=row.kind, error=row.error, at=row.at)
        for row in TaskFailure.objects.defer("trace", "kwargs").order_by("-at", "-id")[:limit]
    )


def parked_count() -> int:
    """Return how many dead letters wait for a person."""
    return DeadLetter.objects.filter(state="parked").count()


def dead_letters(*, state: str = "parked", limit: int = 100) -> tuple[DeadLetterView, ...]:
    """Return dead letters in `state`, newest first."""
    return tuple(
        DeadLetterView(
            id=row.id,
            task=row.task,
            kwargs=row.kwargs,
            reason=row.reason,
            attempts=row.attempts,
            state=row.state,
            parked_at=row.parked_at,
        )
        for row in DeadLetter.objects.filter(state=state).order_by("-parked_at", "-id")[:limit]
    )


def dead_letters_table() -> QuerySet[DeadLetter, Any]:
    """Return the rows that lists show."""
    return DeadLetter.objects.values("id", "task", "reason", "attempts", "state", "parked_at", "ended_at", "ended_by")
