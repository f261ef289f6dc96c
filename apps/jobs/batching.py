"""Which tasks and queues there are, which tasks work on batches of rows, and so which bells wake them.

The clockwork's classes say it, and Celery's registry knows them by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from celery import current_app

from apps.core.bell import Bell


def is_batch(task: str) -> bool:
    """Say whether one message of this task wakes a batch of its rows; a task that nobody registered is woken row by row."""
    return getattr(_tasks().get(task), "batch_size", 0) > 0


def is_known(task: str) -> bool:
    """Say whether this version of the desk has the task."""
    return task in _tasks()


def is_queue(queue: str) -> bool:
    """Say whether the desk has this queue."""
    return queue in current_app.amqp.queues


def batch_tasks() -> list[str]:
    """Return the names of all tasks that work on batches."""
    return sorted(name for name in _tasks() if is_batch(name))


def needed(bells: Iterable[Bell]) -> list[Bell]:
    """Return the bells that are needed of one for each row: all of single jobs, and one for all rows of a batch task."""
    found: dict[tuple[str, str | None, str], Bell] = {}
    for bell in bells:
        if is_batch(bell.task):
            found[bell.task, bell.queue, ""] = Bell(task=bell.task, queue=bell.queue, goes_first=bell.goes_first)
        else:
            found[bell.task, bell.queue, bell.job_id] = bell
    return list(found.values())


@cache
def _tasks() -> Mapping[str, Any]:
    # A web process has not loaded the tasks: it sends messages by name.
    current_app.loader.import_default_modules()
    tasks: Mapping[str, Any] = current_app.tasks
    return tasks
