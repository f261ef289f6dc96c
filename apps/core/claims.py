"""Claims on rows of record: the right to work on a row until a lease ends, proved by a token. Pure.

A worker that dies, hangs or is cut off loses its lease, and another claims the row. Should the first one come back,
its token is out of date: whatever it wants to commit is refused with `StaleLease`, so that one effect remains. The columns
are those of `apps.core.models.Claimable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core.errors import Conflict

BACKOFF_S_MAX = 300.0


class StaleLease(Conflict):
    """Another worker has taken this row over; whatever this one learnt must not be written."""

    code = "stale-lease"
    category = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on the row `id` while its fencing token is `token`."""

    id: str
    token: int


def lease_end(*, now: datetime, lease_s: float) -> datetime:
    """Return when a lease that is taken or renewed now ends."""
    return now + timedelta(seconds=lease_s)


def is_free(*, lease_until: datetime | None, now: datetime) -> bool:
    """Say whether nobody holds the row: it was never claimed, it was let go, or its worker has been silent for a lease."""
    return lease_until is None or lease_until <= now


def backoff_s(attempts: int) -> float:
    """Return how long to wait after so many failed attempts: 2, 4, 8 … seconds, never above five minutes."""
    return min(BACKOFF_S_MAX, 2.0 ** min(max(attempts, 1), 30))


def is_spent(*, attempts: int, attempts_max: int) -> bool:
    """Say whether the row has had all the attempts that it may have."""
    return attempts >= attempts_max
