"""Jobs of the tests, made and worked on through the services, and the bells that were rung for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from apps.core import bell
from apps.core.bell import Bell
from apps.jobs import batching
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.types import ClaimedJob, NewJob

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BY = "test"
SINGLE, BATCH = "tests.single", "tests.batch"
QUEUE = "upkeep"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def new(task: str = SINGLE, **fields: Any) -> NewJob:
    return NewJob(task=task, **{"queue": QUEUE, "kwargs": {"market_id": "mkt_1"}, **fields})


def enqueue(task: str = SINGLE, *, now: datetime = NOW, **fields: Any) -> str:
    values = {"queue": QUEUE, "kwargs": {"market_id": "mkt_1"}, **fields}
    return jobs.enqueue(task=task, now=now, by=BY, **values).job_id


def enqueue_batch(count: int, *, now: datetime = NOW, **fields: Any) -> list[str]:
    assert jobs.enqueue_many(jobs=[new(BATCH, kwargs={"n": n}, **fields) for n in range(count)], now=now, by=BY) == count
    return list(Job.objects.filter(task=BATCH).order_by("id").values_list("id", flat=True))


def claim(job_id: str, *, now: datetime = NOW, task: str = SINGLE, owner: str = "worker-1") -> ClaimedJob:
    given = jobs.claim(job_id=job_id, task=task, owner=owner, now=now)
    assert isinstance(given, ClaimedJob), given
    return given


def refused(job_id: str, *, now: datetime = NOW, task: str = SINGLE) -> str:
    given = jobs.claim(job_id=job_id, task=task, owner="worker-2", now=now)
    assert isinstance(given, str), given
    return given


def claim_batch(limit: int = 100, *, now: datetime = NOW, owner: str = "worker-1") -> list[ClaimedJob]:
    return jobs.claim_batch(task=BATCH, limit=limit, owner=owner, now=now)


def row(job_id: str) -> Job:
    return Job.objects.get(id=job_id)


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in Job.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def fail_until_parked(job_id: str) -> None:
    """Let all three attempts of a job fail."""
    for attempt in range(3):
        at = after(100 * attempt)
        jobs.fail(claim=claim(job_id, now=at), error=failure("no luck"), now=at)
    assert row(job_id).state == "parked"


def failure(words: str) -> ValueError:
    """Return an error that was raised, with its traceback."""
    with pytest.raises(ValueError, match=words) as caught:
        raise ValueError(words)
    return caught.value


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Do `act` in so many threads that start together and return what each answered, in the order of their numbers."""
    start = threading.Barrier(count)
    answers: list[Any] = [None] * count

    def run(number: int) -> None:
        try:
            start.wait()
            answers[number] = act(number)
        except Exception as error:
            answers[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def batch_tasks_are_known(patch: pytest.MonkeyPatch) -> None:
    """Let the registry know the tests' batch task."""
    patch.setattr(batching, "_tasks", lambda: {BATCH: SimpleNamespace(batch_size=100)})


def bells_are_noted(patch: pytest.MonkeyPatch) -> list[Bell]:
    """Note the bells that are rung after each commit, in place of sending them."""
    rung: list[Bell] = []
    patch.setattr(bell, "_send_all", rung.extend)
    return rung
