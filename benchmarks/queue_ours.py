"""The desk's own queue: its Celery application, its task classes, its bells, its rows and its pace."""

from __future__ import annotations

import time
from collections.abc import Sequence

from celery import shared_task

from apps.core import clock
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.types import ClaimedJob, NewJob
from apps.sources.pacing import paced_queue
from benchmarks.queue_fetching import fetch_by_kit
from benchmarks.queue_marks import mark
from project import celery as wiring
from tasks import pacing
from tasks.base import BatchTask, DeskTask
from tasks.queues import QUEUE_NAMES

QUEUE = QUEUE_NAMES.money
ROWS_AT_ONCE = 1_000
POLL_S = 0.002
NOTHING, PACED, ROWS, FETCH = "benchmarks.nothing", "benchmarks.paced", "benchmarks.rows", "benchmarks.fetch"
FAST_SOURCE, SLOW_SOURCE = "yahoo", "alphavantage"  # their paces are set by variables, in `queue_systems.py`

# What the desk's own paced tasks have from `tasks.queues.PACED`.
vars(wiring)["PACED"] |= {PACED}


@shared_task(base=DeskTask, name=NOTHING)
def nothing(*, sent_ns: int) -> None:
    """Say that it ran."""
    mark(sent_ns)


@shared_task(base=DeskTask, name=PACED)
def paced_nothing(*, sent_ns: int, is_marked: bool = True) -> None:
    """Say that it ran, if somebody counts."""
    if is_marked:
        mark(sent_ns)


@shared_task(base=BatchTask, name=ROWS)
def of_rows(*, jobs: Sequence[ClaimedJob]) -> None:
    """Say of every row that it ran."""
    for job in jobs:
        mark(job.kwargs["sent_ns"])


@shared_task(base=DeskTask, name=FETCH)
def fetch(*, sent_ns: int) -> None:
    """Fetch two hundred documents through the kit and say so."""
    fetch_by_kit()
    mark(sent_ns)


def plain(count: int) -> None:
    """Send so many messages."""
    _send(NOTHING, count)


def paced(count: int) -> None:
    """Send so many messages of a paced task whose source is faster than any worker."""
    _send(PACED, count, source=FAST_SOURCE)


def crowd(count: int) -> None:
    """Let so many messages of a paced task wait for a slow source; those whose slots come run in the same workers."""
    each = [{"sent_ns": number, "is_marked": False} for number in range(count)]
    pacing.send_many(PACED, each, source=SLOW_SOURCE, queue=QUEUE)


def crowded(count: int) -> None:
    """Make sure that so many still wait. Raises AssertionError."""
    waiting = sum(line.count for line in paced_queue().waiting())
    assert waiting >= count, f"only {waiting} wait"


def single(count: int) -> None:
    """Write so many rows down, each in a transaction of its own with a bell of its own."""
    for _ in range(count):
        kwargs = {"sent_ns": time.monotonic_ns()}
        jobs.enqueue(task=NOTHING, kwargs=kwargs, queue=QUEUE, now=clock.now(), by="benchmark")


def rows(count: int) -> None:
    """Write so many rows down, a thousand in a transaction; each transaction rings one bell, which wakes batches of them."""
    for begin in range(0, count, ROWS_AT_ONCE):
        size = min(ROWS_AT_ONCE, count - begin)
        new = [NewJob(task=ROWS, queue=QUEUE, kwargs={"sent_ns": time.monotonic_ns()}) for _ in range(size)]
        jobs.enqueue_many(jobs=new, now=clock.now(), by="benchmark")


def settled(_count: int) -> None:
    """Wait until every row is written down as done."""
    while Job.objects.filter(task=ROWS, state__in=("queued", "running")).exists():
        time.sleep(POLL_S)


def urls(count: int) -> None:
    """Send so many tasks that fetch."""
    _send(FETCH, count)


def _send(task: str, count: int, **headers: str) -> None:
    for _ in range(count):
        wiring.app.send_task(task, kwargs={"sent_ns": time.monotonic_ns()}, queue=QUEUE, retry=False, headers=headers)


SENDERS = {
    "plain": plain,
    "paced": paced,
    "crowd": crowd,
    "crowded": crowded,
    "single": single,
    "rows": rows,
    "settled": settled,
    "urls": urls,
}
