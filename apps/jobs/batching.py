"""Which tasks work on batches of rows: the clockwork's classes say so, and Celery's registry knows them by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from celery import current_app


def is_batch(task: str) -> bool:
    """Say whether one message of this task wakes a batch of its rows; a task that nobody registered is woken row by row."""
    return getattr(_tasks().get(task), "batch_size", 0) > 0


@cache
def _tasks() -> Mapping[str, Any]:
    # A web process has not loaded the tasks: it sends messages by name.
    current_app.loader.import_default_modules()
    tasks: Mapping[str, Any] = current_app.tasks
    return tasks
