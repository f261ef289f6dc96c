"""The Celery application; configuration comes from Django's settings, tasks from `tasks/`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

TASK_MODULES = ("ingest", "news", "forecast", "signal", "trade", "settle", "backup", "upkeep")

app = Celery("bellwether")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = tuple(f"tasks.{name}" for name in TASK_MODULES)
