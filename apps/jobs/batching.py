"""Which tasks work on batches of rows, and so which bells wake them.

The clockwork's classes say it, and Celery's registry knows them by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from celery import current_app

from apps.core.bell import Bell


def is_batch(task: str) -> bool:
    """Say whether one message of this task wakes a batch of its rows; a task that nobody registered is woken row by row."""
    return getattr(_tasks().get(task), "batch_size", 0) > 0


def bells_for(rows: Sequence[tuple[str, str, str, str, str, int]], *, goes_first: bool = False) -> list[Bell]:
    """Return the bells for rows of (id, task, queue, source, tenant, priority).

    It is one for each single job, and one for all rows of a batch task.
    """
    bells: dict[tuple[str, str, str], Bell] = {}
    for job_id, task, queue, source, tenant, priority in rows:
        if is_batch(task):
            bells[task, queue, ""] = Bell(task=task, queue=queue, goes_first=goes_first)
        else:
            bells[task, queue, job_id] = Bell(
                task=task,
                queue=queue,
                job_id=job_id,
                source=source,
                tenant=tenant,
                priority=priority,
                goes_first=goes_first,
            )
    return list(bells.values())


@cache
def _tasks() -> Mapping[str, Any]:
    # A web process has not loaded the tasks: it sends messages by name.
    current_app.loader.import_default_modules()
    tasks: Mapping[str, Any] = current_app.tasks
    return tasks
