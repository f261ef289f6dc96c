"""The Celery application; configuration comes from Django's settings, tasks from `tasks/`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any

from celery import Celery
from celery.utils import uuid
from celery.utils.imports import symbol_by_name

from apps.core import clock
from apps.core.headers import SENT_AT_S, SLOT
from tasks.queues import PACED

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

TASK_MODULES = ("ingest", "news", "forecast", "signal", "trade", "settle", "backup", "upkeep", "jobs", "broker", "children")
SETTINGS_PREFIX = "CELERY_"
HOLD_BACK = "tasks.pacing:hold_back"
WORKER = "tasks.stopping:DeskWorker"


class DeskCelery(Celery):
    """Celery that notes when a message was sent, and lets messages of paced tasks wait for their slots outside of workers."""

    def send_task(  # type: ignore[override]  # the many options pass through as they come
        self, name: str, args: Sequence[Any] | None = None, kwargs: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        """Send a message, or put it with those that wait for a slot of their source.

        A slot belongs to one delivery: a message that is sent again (its worker was lost) waits for another.
        """
        headers = {**(options.get("headers") or {}), SENT_AT_S: clock.now().timestamp()}
        headers.pop(SLOT, None)
        options["headers"] = headers
        if name in PACED:
            options["task_id"] = options.get("task_id") or uuid()
            if _hold_back()(name, kwargs or {}, options):
                return self.AsyncResult(options["task_id"])
        return super().send_task(name, args, kwargs, **options)

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - Celery's name
        """Return the class of the command `celery worker`."""
        return self.subclass_with_self(WORKER)  # type: ignore[arg-type]  # the stub knows no names of classes

    def prepare_config(self, c: Mapping[str, Any]) -> Any:
        """Read Django's settings once: a look at a value that they lack costs 20 µs, and a message takes half a dozen."""
        ours = {name: c[name] for name in c if name.startswith(SETTINGS_PREFIX)}
        # By Celery's own name: only so it knows what to mask when a worker is asked for its settings, as Flower asks.
        ours["broker_url"] = ours.pop("CELERY_BROKER_URL")
        return super().prepare_config(ours)  # type: ignore[arg-type]  # the stub wants what comes out of it


@cache
def _hold_back() -> Any:
    # By name: the queue's rows are Django's, which is not set up yet when this module is read.
    return symbol_by_name(HOLD_BACK)


app = DeskCelery("bellwether")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = tuple(f"tasks.{name}" for name in TASK_MODULES)
