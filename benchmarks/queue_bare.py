"""Celery as it comes, with the safety settings of the desk and nothing of ours: no Django, no task class, no transport."""

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery

from benchmarks.queue_marks import mark

# The desk's own values (a test compares), but for the names of queue and keys. What each is for: project/settings/queue.py.
SETTINGS: dict[str, Any] = {
    "broker_transport_options": {
        "visibility_timeout": 7200,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 4,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 5,
        "global_keyprefix": "bare:",
        "priority_steps": (-1, 0),
    },
    "broker_connection_timeout": 4,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_acks_late": True,
    "task_retry_on_worker_lost": True,
    "task_annotations": {"*": {"max_retries": 5}},
    "task_ignore_result": True,
    "task_store_eager_result": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "timezone": "UTC",
    "task_default_queue": "bare",
    "task_publish_retry": False,
    "worker_disable_rate_limits": True,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_soft_shutdown_timeout": 20,
    "worker_max_tasks_per_child": 10_000,
    "worker_max_memory_per_child": 400_000,
    "task_time_limit": 300,
    "task_soft_time_limit": 240,
    "worker_send_task_events": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
}

app = Celery("bare", broker=os.environ.get("REDIS_URL"), fixups=[], set_as_current=False)
app.conf.update(SETTINGS)


@app.task(name="bare.nothing")
def nothing(*, sent_ns: int) -> None:
    """Say that it ran."""
    mark(sent_ns)


def plain(count: int) -> None:
    """Send so many by name, as the desk does."""
    for _ in range(count):
        app.send_task("bare.nothing", kwargs={"sent_ns": time.monotonic_ns()}, retry=False)


SENDERS = {"plain": plain}
