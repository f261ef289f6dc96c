"""What crosses the threshold of this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from apps.core.claims import Claim

JobState = Literal["queued", "running", "done", "skipped", "parked", "discarded"]
Misfire = Literal["latest", "all", "skip"]
# Why a claim was not given: it is finished ("done") or was parked just now; someone works on it; another job of its scope
# runs; its time has not come, or has passed; the message names another task than the row; there is no such row.
Refusal = Literal["done", "parked", "running", "busy", "not-due", "late", "forged", "unknown"]

JOB_STATES: tuple[JobState, ...] = ("queued", "running", "done", "skipped", "parked", "discarded")
MISFIRES: tuple[Misfire, ...] = ("latest", "all", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """Work to be written down. `key` names its effect: a second job with the same key is the first one."""

    task: str
    queue: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    scope: str = ""
    tenant: str = ""
    source: str = ""
    run_at: datetime | None = None
    start_by: datetime | None = None
    deadline_at: datetime | None = None
    attempts_max: int = 3
    priority: int = 0
    schedule: str = ""
    slot_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The row that holds the work; not new when its key was known already."""

    job_id: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedJob(Claim):
    """A job that its holder may work on. `attempts` counts this one, `postponements` those that were put off."""

    task: str
    kwargs: Mapping[str, Any]
    queue: str
    tenant: str
    source: str
    attempts: int
    attempts_max: int
    postponements: int
    deadline_at: datetime | None
    schedule: str
    slot_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What one look of the caretaker did: bells rung again, jobs taken back from silent workers, jobs ended unrun.

    `has_rung_all` says, after a broker forgot everything, that nothing is left to be rung for on that account.
    """

    rerung: int = 0
    freed: int = 0
    parked: int = 0
    skipped: int = 0
    has_rung_all: bool = False
