"""The base of every task: connection hygiene, log context, and a row for every failure.

A task is an interface: keyword arguments in, one service call, nothing returned.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery import Task, current_app
from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections
from prometheus_client import Histogram

from apps.core import clock
from apps.core.errors import Expected
from apps.monitoring import services as monitoring

log = structlog.get_logger(__name__)

ACTOR = "schedule"

# A tick takes milliseconds, the proof of a backup minutes. `task_failures_total` comes from the rows of failures.
RUNTIME = Histogram(
    "task_runtime_seconds",
    "Time that a task ran, however it ended.",
    ["task"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)
STARTED_ATTRIBUTE = "desk_started_s"


class DeskTask(Task):  # type: ignore[type-arg]  # celery-types has it generic, Celery itself does not
    """Records what failed and parks what fails again and again."""

    abstract = True
    throws = (Expected,)  # told in a line: a paused source must not fill the log with traces

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: dict[str, Any], einfo: Any) -> None:
        """Write one row for the failure; expected errors are part of the day and are only logged."""
        if isinstance(exc, Expected):
            log.info("task_ended_as_expected", task=self.name, code=exc.code)
            return
        monitoring.record_failure(task=self.name, task_id=task_id, kwargs=kwargs, error=exc, now=clock.now())


@task_prerun.connect
@task_postrun.connect
def check_connections(**_: Any) -> None:
    """Drop database connections that are broken or too old, so that a restarted server fails no task."""
    if not current_app.conf.task_always_eager:
        close_old_connections()


@task_prerun.connect
def start_the_clock(task: Any = None, **_: Any) -> None:
    """Note on the request of this execution when it began."""
    setattr(task.request, STARTED_ATTRIBUTE, clock.monotonic_s())


@task_postrun.connect
def observe_runtime(task: Any = None, **_: Any) -> None:
    """Add the time that this execution took; one that never began (its hooks failed) has none."""
    started_s = getattr(task.request, STARTED_ATTRIBUTE, None)
    if started_s is not None:
        RUNTIME.labels(task=task.name).observe(clock.monotonic_s() - started_s)
