"""The doorbell: a Celery message that says "there is work in the rows".

Rows are the queue of record. A bell that is lost costs the time to the next tick, never data; so a broker that is
down is counted and survived.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError
from prometheus_client import Counter

log = structlog.get_logger(__name__)

BELLS_LOST = Counter("bells_lost_total", "Doorbells that could not be rung because the broker was away.", ["task"])


def ring(task: str, **kwargs: Any) -> None:
    """Send the message for `task` once the present transaction has committed (at once when there is none)."""
    transaction.on_commit(partial(_send, task, kwargs))


def _send(task: str, kwargs: dict[str, Any]) -> None:
    try:
        current_app.send_task(task, kwargs=kwargs, retry=False, expires=60)
    except (OperationalError, OSError) as error:
        BELLS_LOST.labels(task=task).inc()
        log.warning("bell_lost", task=task, error=type(error).__name__)
