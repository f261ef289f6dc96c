"""A real worker over the test's own database and broker, and a look into the rows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.conf import settings

from apps.core import clock
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.types import NewJob
from project.celery import app
from project.local.processes import Worker
from tasks.jobs import reconcile_step
from tests.addresses import database_address
from tests.integration.tasks import clockwork_tasks
from tests.integration.tasks.clockwork_tasks import MARKS

ROOT = Path(__file__).resolve().parents[3]
APP = "tests.integration.tasks.clockwork_app"
QUEUE = "upkeep"


def query(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask on a session of our own: the test's may have been cut."""
    with psycopg.connect(database_address(), autocommit=True, application_name="clockwork-test") as session:
        cursor = session.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


class RunningWorker:
    """One worker process and its children."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of its log that tell of this event."""
        lines = [line for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]
        return [said for said in map(json.loads, lines) if said.get("event") == name]

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout_s: float = 60) -> int:
        return self.process.wait(timeout_s)

    def end(self) -> None:
        """End it and its children by pid, whatever state they are in."""
        pids = [*self.children(), self.pid]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def worker(
    folder: Path, *, concurrency: int = 1, name: str = "clock", queue: str = QUEUE, **variables: str
) -> Iterator[RunningWorker]:
    """Run a worker of one queue until the block ends."""
    found = launch(folder, concurrency=concurrency, name=name, queue=queue, **variables)
    try:
        wait_until(lambda: "ready." in found.text() or found.process.poll() is not None, 60, lambda: found.text()[-3000:])
        yield found
    finally:
        found.end()


def launch(folder: Path, *, concurrency: int = 1, name: str = "clock", queue: str = QUEUE, **variables: str) -> RunningWorker:
    command = list(Worker(name, (queue,), concurrency).command())
    command[command.index("-A") + 1] = APP
    own = {
        "DATABASE_URL": database_address(),
        "REDIS_URL": settings.BROKER_REDIS_URL,
        "ENVIRONMENT": "test",
        "PROCESS_TYPE": "worker",
        "LOG_FORMAT": "json",
        "PYTHONPATH": str(ROOT),
    }
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--loglevel", "INFO"],
            env={**os.environ, **own, **variables},
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    return RunningWorker(process, log)


def wait_until(
    holds: Callable[[], bool],
    timeout_s: float,
    tell: Callable[[], Any] = lambda: "",
    *,
    while_waiting: Callable[[], Any] | None = None,
) -> None:
    until_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until_s, f"it did not come to pass: {tell()}"
        if while_waiting is not None:
            while_waiting()
        time.sleep(0.05)


class Caretaker:
    """Looks after jobs as the loop in beat does: no more often than it asks for."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + reconcile_step()


look_after = Caretaker()


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def prepare() -> None:
    query(MARKS)
    query("TRUNCATE clockwork_mark")
    assert clockwork_tasks.mark.name in app.tasks


def empty_queue() -> None:
    with redis.Redis.from_url(settings.BROKER_REDIS_URL) as broker:
        broker.delete(f"q:{QUEUE}")


def messages_waiting(queue: str = QUEUE) -> int:
    with redis.Redis.from_url(settings.BROKER_REDIS_URL) as broker:
        return int(broker.llen(f"q:{queue}"))


def enqueue(task: str, **kwargs: Any) -> str:
    own = {name: kwargs.pop(name) for name in ("attempts_max", "scope", "deadline_at", "key") if name in kwargs}
    return jobs.enqueue(task=task, kwargs=kwargs, queue=QUEUE, now=clock.now(), by="test", **own).job_id


def enqueue_many(task: str, arguments: Sequence[Mapping[str, Any]], *, queue: str = QUEUE) -> None:
    many = [NewJob(task=task, queue=queue, kwargs=kwargs) for kwargs in arguments]
    jobs.enqueue_many(jobs=many, now=clock.now(), by="test")


def job(job_id: str) -> Job:
    return Job.objects.get(id=job_id)


def states() -> dict[str, int]:
    return dict(query("SELECT state, count(*) FROM jobs_job GROUP BY state"))


def marks(name: str | None = None) -> list[tuple[str, str, int]]:
    found = query("SELECT job, note, pid FROM clockwork_mark ORDER BY at")
    return [row for row in found if name is None or row[0] == name]


def wait_for_end(timeout_s: float = 60, tell: Callable[[], Any] = lambda: "") -> None:
    """Wait until no job is queued or running, with the caretaker looking after them."""
    wait_until(
        lambda: not {"queued", "running"} & states().keys(), timeout_s, lambda: f"{states()} {tell()}", while_waiting=look_after
    )
