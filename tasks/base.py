"""The base of every task: connection hygiene, times, and a row for every failure.

A task is an interface: keyword arguments in, one service call, nothing returned. A message with the header `job` runs a
job's row (`tasks.running`); one without it runs the body as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from celery import Task
from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections
from prometheus_client import Histogram

from apps.core import clock, headers
from apps.core.errors import Broken, Expected
from apps.jobs.types import ClaimedJob
from apps.monitoring import services as monitoring
from tasks import running
from tasks.pacing import allowance
from tasks.queues import QUEUE_NAMES

log = structlog.get_logger(__name__)

ACTOR = "schedule"

# A tick takes milliseconds, the proof of a backup minutes. `task_failures_total` comes from the rows of failures.
RUNTIME = Histogram(
    "task_runtime_seconds",
    "Time that a task ran, however it ended.",
    ["task"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)
WAIT = Histogram(
    "task_wait_seconds",
    "Time between the sending of a message (the slot of a paced one) and its start in a worker.",
    ["queue"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
STARTED_ATTRIBUTE = "desk_started_s"
WAITED_ON = frozenset(QUEUE_NAMES.names())  # what a message says of its queue becomes a label only if it is one


class OutOfMemory(Broken):
    """A task wanted more memory than its process may have."""

    code = "out-of-memory"
    category = "queue"


class DeskTask(Task):  # type: ignore[type-arg]  # celery-types has it generic, Celery itself does not
    """Single work: one message, one run. `is_atomic` puts the body and the end of its job in one transaction."""

    abstract = True
    Request = "tasks.requests:DeskRequest"
    throws = (Expected,)  # told in a line: a paused source must not fill the log with traces
    default_retry_delay = 2  # after a lost worker; Celery's three minutes would wait in a worker's memory
    is_atomic = False

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Run a message: its job if it names one, else the body with what the message says. A plain call runs the body."""
        if self.request.called_directly:
            super().__call__(*args, **kwargs)
            return
        try:
            with allowance(self.request):
                self.work(self.request.get(headers.JOB), args, kwargs)
        except MemoryError as error:
            # As itself it would end the worker's main process: Celery takes it for its own.
            raise OutOfMemory(f"{self.name} ran out of memory") from error

    def work(self, job_id: str | None, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Do what a message asks for."""
        if job_id is not None:
            running.run_job(self, job_id)
        else:
            running.run_plainly(self, args, kwargs)

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: dict[str, Any], einfo: Any) -> None:
        """Write one row for the failure; expected errors are part of the day and are only logged."""
        if isinstance(exc, Expected):
            log.info("task_ended_as_expected", task=self.name, code=exc.code)
            return
        monitoring.record_failure(task=self.name, task_id=task_id, kwargs=kwargs, error=exc, now=clock.now())


class BatchTask(DeskTask):
    """Light work: one message wakes up to `batch_size` rows, and the next ones, until none is left or `budget_s` is over.

    The body takes `jobs`, a sequence of claimed rows, and runs in one transaction with their end. Whatever its messages
    say besides is ignored.
    """

    abstract = True
    batch_size = 100
    budget_s = 5.0

    def work(self, job_id: str | None, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Work off the rows that are due."""
        running.run_batches(self)

    def run(self, *, jobs: Sequence[ClaimedJob]) -> None:
        """Do the work of all these rows."""
        raise NotImplementedError


@task_prerun.connect
@task_postrun.connect
def check_connections(task: Any = None, **_: Any) -> None:
    """Drop database connections that are broken or too old, so that a restarted server fails no task."""
    # The request knows whether it runs in the caller's own transaction; to ask Celery's settings costs 20 µs each time.
    if not task.request.is_eager:
        close_old_connections()


@task_prerun.connect
def start_the_clock(task: Any = None, **_: Any) -> None:
    """Note on the request of this execution when it began, and how long its message waited."""
    request = task.request
    setattr(request, STARTED_ATTRIBUTE, clock.monotonic_s())
    sent_at_s, queue = request.get(headers.SENT_AT_S), (request.delivery_info or {}).get("routing_key")
    if isinstance(sent_at_s, int | float) and queue in WAITED_ON:
        WAIT.labels(queue=queue).observe(max(0.0, clock.now().timestamp() - sent_at_s))


@task_postrun.connect
def observe_runtime(task: Any = None, **_: Any) -> None:
    """Add the time that this execution took; one that never began (its hooks failed) has none."""
    started_s = getattr(task.request, STARTED_ATTRIBUTE, None)
    if started_s is not None:
        RUNTIME.labels(task=task.name).observe(clock.monotonic_s() - started_s)
