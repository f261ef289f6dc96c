"""A caller of the queue, run as a program by the harness: `python -m tests.chaos.queue_client`.

It stands for a web process: it reads one request a line from stdin, does it through the desk's own services, and answers
with one line of JSON: what came of it and how long the caller was held.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import DatabaseError, InterfaceError, close_old_connections  # noqa: E402  # after setup
from kombu.exceptions import OperationalError as BrokerError  # noqa: E402

from apps.core import bell, clock  # noqa: E402
from apps.jobs import services as jobs  # noqa: E402
from tests.chaos.queue_app import app  # noqa: E402

BY = "chaos"
WORK = "tests.chaos.queue_work."


def enqueue(*, kind: str, numbers: list[int], queue: str, work_s: float = 0.0, **options: Any) -> dict[str, Any]:
    """Enqueue one job for each number, each in a transaction of its own; tell which were accepted."""
    accepted = []
    for number in numbers:
        kwargs = {"number": number, "work_s": work_s}
        made = jobs.enqueue(
            task=WORK + kind, kwargs=kwargs, queue=queue, now=clock.now(), by=BY, key=f"chaos:{number}", **options
        )
        accepted.append({"number": number, "job": made.job_id})
    return {"accepted": accepted}


def delay(*, kind: str, number: int, queue: str) -> dict[str, Any]:
    """Send a bare message, as `.delay()` does, with no job behind it."""
    app.tasks[WORK + kind].apply_async(kwargs={"number": number}, queue=queue)
    return {}


def ring(*, kind: str, job: str, queue: str) -> dict[str, Any]:
    """Ring the bell of a job that exists."""
    bell.ring_job(job_id=job, task=WORK + kind, queue=queue)
    return {}


VERBS: dict[str, Callable[..., dict[str, Any]]] = {"enqueue": enqueue, "delay": delay, "ring": ring}


def main() -> int:
    """Answer until stdin ends."""
    logging.disable(logging.CRITICAL)  # stdout and stderr are for the test alone
    app.loader.import_default_modules()
    app.finalize()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        began_s = time.monotonic()
        answer = answer_to(request.pop("verb"), request)
        print(json.dumps({**answer, "held_s": time.monotonic() - began_s}), flush=True)
    return 0


def answer_to(verb: str, options: dict[str, Any]) -> dict[str, Any]:
    """Do what was asked; a service that is away is an answer too."""
    close_old_connections()
    try:
        return VERBS[verb](**options)
    except (DatabaseError, InterfaceError, BrokerError, OSError) as error:
        return {"error": type(error).__name__}


if __name__ == "__main__":
    sys.exit(main())
