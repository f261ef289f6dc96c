"""The work of the chaos tests: tasks that leave an effect and take their time in the middle of it.

Loaded by workers and beats through `tests.chaos.queue_app`; their queues are the desk's own.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from celery import shared_task
from django.db import connection

from apps.core.db import transaction
from apps.jobs.types import ClaimedJob
from tasks.base import BatchTask, DeskTask
from tests.chaos.queue_effects import ADD, ADD_ONCE, write_note


@shared_task(base=DeskTask, is_atomic=True)
def add_atomic(*, number: int, work_s: float = 0.0, **_: Any) -> None:
    """Add the effect in the transaction that also marks the job as done."""
    write_note("begin", [number])
    _write(ADD, [number, "atomic", os.getpid()])
    time.sleep(work_s)
    write_note("end", [number])


@shared_task(base=DeskTask)
def add_plain(*, number: int, work_s: float = 0.0, **_: Any) -> None:
    """Add the effect once in a transaction of the body, and go on working after its commit."""
    write_note("begin", [number])
    add_once(number=number, work_s=work_s / 2)
    time.sleep(work_s / 2)
    write_note("end", [number])


@shared_task(base=BatchTask)
def add_batch(*, jobs: Sequence[ClaimedJob], **_: Any) -> None:
    """Add an effect for each row of a batch, in the batch's one transaction."""
    numbers = [int(job.kwargs["number"]) for job in jobs]
    write_note("begin", numbers)
    with connection.cursor() as cursor:
        cursor.executemany(ADD, [(number, "batch", os.getpid()) for number in numbers])
    time.sleep(sum(float(job.kwargs.get("work_s", 0.0)) for job in jobs))
    write_note("end", numbers)


@shared_task(base=DeskTask)
def die(*, number: int, **_: Any) -> None:
    """Take the whole process down, as a segmentation fault in a library does."""
    write_note("begin", [number])
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


@transaction
def add_once(*, number: int, work_s: float) -> None:
    """Add the effect unless the number has one, and stay in the transaction for `work_s`."""
    _write(ADD_ONCE, [number, "plain", os.getpid(), number])
    time.sleep(work_s)


def _write(statement: str, values: list[int | str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
