"""Reading what went wrong."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count

from apps.jobs import selectors as jobs
from apps.monitoring.models import TaskFailure
from apps.monitoring.types import FailureView

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
    return jobs.parked_count()
