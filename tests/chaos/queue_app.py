"""The desk's Celery application plus the work of the chaos tests: `celery -A tests.chaos.queue_app worker`."""

from __future__ import annotations

from project.celery import app

app.conf.imports = (*app.conf.imports, "tests.chaos.queue_work")

__all__ = ["app"]
