"""What the workers of the clockwork's tests do: they leave marks in a table, wait, and die in several ways."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery import shared_task
from django.db import connection

from apps.core.errors import Conflict, Transient
from apps.core.sections import only_one_asking
from apps.jobs.types import ClaimedJob
from apps.sources.engine import engine
from tasks.base import BatchTask, DeskTask
from tasks.running import present_job

MARKS = "CREATE TABLE IF NOT EXISTS clockwork_mark (job text, note text, pid int, at timestamptz DEFAULT clock_timestamp())"
MARK = "INSERT INTO clockwork_mark (job, note, pid) VALUES (%s, %s, %s)"


def leave_mark(name: str, note: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MARK, [name, note, os.getpid()])


@shared_task(base=DeskTask, name="clockwork.mark")
def mark(*, name: str, work_s: float = 0.0, **_: Any) -> None:
    time.sleep(work_s)
    leave_mark(name, "single")


@shared_task(base=DeskTask, name="clockwork.mark_atomic", is_atomic=True)
def mark_atomic(*, name: str, work_s: float = 0.0, **_: Any) -> None:
    leave_mark(name, "atomic")
    time.sleep(work_s)


@shared_task(base=BatchTask, name="clockwork.mark_batch")
def mark_batch(*, jobs: Sequence[ClaimedJob]) -> None:
    for job in jobs:
        if job.kwargs.get("is_bad"):
            raise ValueError(f"{job.kwargs['name']} is bad")
        leave_mark(job.kwargs["name"], "batch")


@shared_task(base=DeskTask, name="clockwork.mark_slot")
def mark_slot(*, work_s: float, **_: Any) -> None:
    job = present_job()
    slot = job.slot_at.isoformat() if job and job.slot_at else "no slot"
    leave_mark(slot, "begin")
    time.sleep(work_s)
    leave_mark(slot, "end")


@shared_task(base=DeskTask, name="clockwork.refuse")
def refuse(**_: Any) -> None:
    raise Conflict("not now")


@shared_task(base=DeskTask, name="clockwork.come_again")
def come_again(*, after_s: float, **_: Any) -> None:
    raise Transient("the other side is busy", retry_after_s=after_s)


@shared_task(base=DeskTask, name="clockwork.break_down")
def break_down(**_: Any) -> None:
    raise ValueError("cannot reach postgres://desk:hunter2@db/x")


@shared_task(base=DeskTask, name="clockwork.segfault")
def segfault(**_: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


@shared_task(base=DeskTask, name="clockwork.eat_memory")
def eat_memory(**_: Any) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 50_000_000, before[1]))
    try:
        bytearray(500_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@shared_task(base=DeskTask, name="clockwork.endless", soft_time_limit=1, time_limit=2)
def endless(*, ignores_soft_limit: bool, **_: Any) -> None:
    while True:
        try:
            time.sleep(60)
        except Exception:
            if not ignores_soft_limit:
                raise


@shared_task(base=DeskTask, name="clockwork.grow")
def grow(*, name: str, **_: Any) -> None:
    HOARD.append(b"x" * 150_000_000)
    leave_mark(name, "grown")


HOARD: list[bytes] = []


@shared_task(base=DeskTask, name="clockwork.wait_on_network")
def wait_on_network(*, name: str, port: int, **_: Any) -> None:
    """Wait for a vendor that is slow, where every question to a vendor waits."""
    with only_one_asking(name) as is_ours:
        leave_mark(name, "before")
        engine().run(_answer_of(port))
        leave_mark(name, f"after {is_ours}")


async def _answer_of(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = await reader.read(1)
    writer.close()
    return answer
