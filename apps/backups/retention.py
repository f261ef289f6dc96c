"""Which backups are kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

KINDS = ("daily", "weekly", "monthly")
KEEP = {"daily": 7, "weekly": 5, "monthly": 12}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A complete backup as the retention rule sees it."""

    id: str
    kind: str
    started_at: datetime
    is_proved: bool


def past_keeping(backups: Iterable[Candidate]) -> tuple[str, ...]:
    """Return the ids of the backups to remove, oldest first.

    The newest 7 daily, 5 weekly and 12 monthly ones stay. The newest one that a restore has proved stays in any case:
    unproved files alone are no backup.
    """
    newest_first = sorted(backups, key=lambda backup: (backup.started_at, backup.id), reverse=True)
    kept = {backup.id for kind, count in KEEP.items() for backup in [one for one in newest_first if one.kind == kind][:count]}
    kept.update([backup.id for backup in newest_first if backup.is_proved][:1])
    return tuple(backup.id for backup in reversed(newest_first) if backup.id not in kept)
