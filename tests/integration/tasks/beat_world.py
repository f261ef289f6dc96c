"""The real command `celery -A project beat` over the test's own database and broker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from project.local.processes import beat_command
from tests.addresses import database_address
from tests.integration.tasks.worker_world import ROOT, RunningWorker, wait_until

BANNER = "LocalTime ->"
BEGUN_S = 60


@contextmanager
def beat(folder: Path, **variables: str) -> Iterator[RunningWorker]:
    """Run beat until the block ends; it has shown its banner when the block begins."""
    own = {
        "DATABASE_URL": database_address(),
        "REDIS_URL": settings.BROKER_REDIS_URL,
        "ENVIRONMENT": "test",
        "PROCESS_TYPE": "beat",
        "LOG_FORMAT": "json",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    log = folder / "beat.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *beat_command()],
            env={**os.environ, **own, **variables},
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    found = RunningWorker(process, log)
    try:
        wait_until(lambda: BANNER in found.text() or process.poll() is not None, BEGUN_S, lambda: found.text()[-3000:])
        yield found
    finally:
        found.end()


def seconds_to_end(process: RunningWorker, number: int, timeout_s: float) -> float:
    """Send the signal and return the seconds until the process is gone. Raises TimeoutExpired."""
    begun_s = time.monotonic()
    process.send(number)
    process.wait(timeout_s)
    return time.monotonic() - begun_s
