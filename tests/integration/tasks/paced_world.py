"""Real workers and a real mover over the test's own broker, and what the vendor noted."""

from __future__ import annotations

import bisect
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from project.local.processes import Worker
from tests.addresses import database_address
from tests.integration.tasks.paced_tasks import server

ROOT = Path(__file__).resolve().parents[3]
APP = "tests.integration.tasks.paced_app"


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the vendor saw it: its number, when it came, and when its slot was (0: it brought none)."""

    number: int
    at_us: int
    slot_us: int

    @property
    def late_s(self) -> float:
        return (self.at_us - self.slot_us) / 1_000_000


def new_source() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def calls_of(source: str) -> list[Call]:
    rows: Any = server().lrange(f"calls:{source}", 0, -1)
    return [Call(*(int(word) for word in row.split())) for row in rows]


def most_in_a_window(calls: Sequence[Call], window_s: float) -> int:
    starts_us = sorted(call.at_us for call in calls)
    window_us = int(window_s * 1_000_000)
    return max(bisect.bisect_left(starts_us, at_us + window_us) - index for index, at_us in enumerate(starts_us))


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def wait_until(holds: Callable[[], bool], timeout_s: float, tell: Callable[[], str] = lambda: "") -> None:
    until_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until_s, f"it did not come to pass: {tell()}"
        time.sleep(0.05)


def tell(**figures: float) -> None:
    """Say what was measured; `pytest -rP` shows it."""
    sys.stdout.write(json.dumps({name: round(figure, 3) for name, figure in figures.items()}) + "\n")


class RunningWorker:
    """One worker process and its children."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def text(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def end(self) -> None:
        """End it and its children by pid, whatever state they are in."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = [int(word) for word in path.read_text().split()] if path.exists() else []
        for pid in [*children, self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def worker(folder: Path, *queues: str, name: str, concurrency: int = 1) -> Iterator[RunningWorker]:
    """Run a worker of these queues until the block ends."""
    command = list(Worker(name, queues, concurrency).command())
    command[command.index("-A") + 1] = APP
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--loglevel", "INFO"],
            env=environment(),
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    found = RunningWorker(process, folder / f"{name}.log")
    try:
        wait_until(lambda: "ready." in found.text() or found.process.poll() is not None, 90, found.text)
        yield found
    finally:
        found.end()


@contextmanager
def mover(run_s: float) -> Iterator[subprocess.Popen[str]]:
    """Run a mover for at most so long; ended with the block."""
    command = [sys.executable, "-m", "tests.integration.tasks.paced_mover", str(run_s)]
    process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)


def is_moving(process: subprocess.Popen[str]) -> bool:
    """Whether this mover has said that it has begun."""
    rows: Any = server().lrange("movers", 0, -1)
    return any(row.startswith(f"{process.pid} ") for row in rows)


def cpu_share(process: subprocess.Popen[str], timeout_s: float) -> float:
    """Wait for a mover's own end and return which share of a processor it used."""
    said, _ = process.communicate(timeout=timeout_s)
    return float(json.loads(said.splitlines()[-1])["cpu_share"])


def environment() -> dict[str, str]:
    own = {
        "DATABASE_URL": database_address(),
        "REDIS_URL": settings.BROKER_REDIS_URL,
        "ENVIRONMENT": "test",
        "PROCESS_TYPE": "worker",
        "LOG_FORMAT": "console",
        "PYTHONPATH": str(ROOT),
    }
    return {**os.environ, **own}
