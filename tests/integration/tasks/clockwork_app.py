"""The desk's Celery application plus the tasks of the clockwork's tests: `celery -A tests.integration.tasks.clockwork_app worker`."""

from __future__ import annotations

from project.celery import app

app.conf.imports = (*app.conf.imports, "tests.integration.tasks.clockwork_tasks")

__all__ = ["app"]
