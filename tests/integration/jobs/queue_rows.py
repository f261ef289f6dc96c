"""Rows of jobs as a test wants them, made without the services: any state, any age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.jobs.models import Job

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def make_job(state: str = "queued", *, now: datetime = NOW, **fields: Any) -> Job:
    """Make one job; what is not given is as a job in that state has it."""
    ended = state in ("done", "skipped", "parked", "discarded")
    values = {
        "task": "tasks.upkeep.seal",
        "queue": "upkeep",
        "kwargs": {},
        "state": state,
        "made_at": now,
        "made_by": "test",
        "next_try_at": now,
        "started_at": now if state in ("running", "done", "parked") else None,
        "finished_at": now if ended else None,
        "lease_until": now + seconds(15) if state == "running" else None,
        "lease_owner": "worker@host" if state == "running" else "",
    }
    return Job.objects.create(**(values | fields))
