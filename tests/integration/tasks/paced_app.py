"""The desk's Celery application plus a task that calls a source: `celery -A tests.integration.tasks.paced_app worker`."""

from __future__ import annotations

from project.celery import app

app.conf.imports = (*app.conf.imports, "tests.integration.tasks.paced_tasks")

__all__ = ["app"]
