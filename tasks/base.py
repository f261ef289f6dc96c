"""The base of every task: connection hygiene, log context, and a row for every failure.

A task is an interface: keyword arguments in, one service call, nothing returned.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery import Task, current_app
from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections

from apps.core import clock
from apps.core.errors import Expected
from apps.monitoring import services as monitoring

log = structlog.get_logger(__name__)

ACTOR = "schedule"


class DeskTask(Task):  # type: ignore[type-arg]  # celery-types has it generic, Celery itself does not
    """Records what failed and parks what fails again and again."""

    abstract = True

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
