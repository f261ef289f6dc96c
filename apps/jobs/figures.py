"""What is told about the queue to people and programs: frozen figures, no queries behind these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.core.progress import percent_of
from apps.jobs.types import JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """The rows of one queue that are not ended. `waiting` are due now, `later` at a moment to come.

    `oldest_wait_s` is how long the row that was due first has been waiting; None when none is due.
    """

    queue: str
    waiting: int = 0
    later: int = 0
    running: int = 0
    parked: int = 0
    oldest_wait_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTimes:
    """How one queue went of late. Waits are from due to begun, runs from begun to done, both of the last attempt.

    `done` counts them all; the quantiles are of the newest `looked_at` jobs.
    """

    queue: str
    done: int
    looked_at: int
    wait_s: Mapping[float, float]
    run_s: Mapping[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job that somebody works on, with how far it is, as far as it tells."""

    id: str
    task: str
    queue: str
    kwargs: Mapping[str, Any]
    worker: str
    attempts: int
    attempts_max: int
    run_s: float
    done: int | None
    total: int | None
    note: str

    @property
    def percent(self) -> int | None:
        """The share that is done; None while it is not known."""
        return percent_of(self.done, self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A job that waits for a person. `trace` is for staff with the permission to act, and empty for others."""

    id: str
    task: str
    queue: str
    kwargs: Mapping[str, Any]
    source: str
    tenant: str
    schedule: str
    reason: str
    attempts: int
    made_at: datetime
    parked_at: datetime
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleStanding:
    """One schedule that is on: what it did, how late, when it comes next, and whether it has been silent too long.

    `fault` says why it cannot run. `alert_after_s` is None for what comes once.
    """

    name: str
    task: str = ""
    misfire: str = "latest"
    grace_s: int | None = None
    alert_after_s: float | None = None
    last_success_at: datetime | None = None
    success_age_s: float | None = None
    last_slot_at: datetime | None = None
    last_lateness_s: float | None = None
    silent_s: float | None = None
    next_at: tuple[datetime, ...] = ()
    fault: str = ""

    @property
    def is_overdue(self) -> bool:
        """Whether it cannot run, or has not succeeded for longer than its alert allows."""
        is_silent = self.alert_after_s is not None and self.silent_s is not None and self.silent_s > self.alert_after_s
        return bool(self.fault) or is_silent


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRecord:
    """What became of one slot of a schedule. `lateness_s` is from its nominal time to its begin; None when it never began."""

    job_id: str
    slot_at: datetime
    state: JobState
    lateness_s: float | None
    run_s: float | None
    reason: str = field(default="")
