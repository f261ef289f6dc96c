"""The desk's Celery application plus the tasks of the clockwork's tests: `celery -A tests.integration.tasks.clockwork_app worker`.

Limits may be made shorter, so that a test need not wait for the desk's own.
"""

from __future__ import annotations

import os

from project.celery import app

app.conf.imports = (*app.conf.imports, "tests.integration.tasks.clockwork_tasks")
for name in ("worker_soft_shutdown_timeout", "worker_max_memory_per_child", "worker_max_tasks_per_child"):
    if name.upper() in os.environ:
        app.conf[name] = int(os.environ[name.upper()])

__all__ = ["app"]
