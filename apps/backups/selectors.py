"""Reading the registry of backups and their proofs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet

from apps.backups.models import Backup, Restore
from apps.backups.presenting import view_of_backup, view_of_restore
from apps.backups.types import BackupView, RestoreView

BACKUP_FIELDS = ("id", "kind", "state", "size_bytes", "checksum", "server_version", "started_at", "finished_at", "error")
RESTORE_FIELDS = (
    "id",
    "backup_id",
    "is_good",
    "tables_compared",
    "rows_compared",
    "differences",
    "started_at",
    "finished_at",
)


def latest_backup(kind: str | None = None) -> BackupView | None:
    """Return the newest complete backup (of a kind), or None."""
    complete = Backup.objects.filter(state="done", **({"kind": kind} if kind else {}))
    row = complete.order_by("-started_at", "-id").first()
    return view_of_backup(row) if row else None


def latest_restore() -> RestoreView | None:
    """Return the newest proof, good or bad, or None."""
    row = Restore.objects.order_by("-started_at", "-id").first()
    return view_of_restore(row) if row else None


def ages_s(*, now: datetime) -> dict[str, float]:
    """Return the seconds since the newest complete backup of each kind; kinds without any are left out."""
    newest = Backup.objects.filter(state="done").order_by("kind").values_list("kind").annotate(at=Max("started_at"))
    return {kind: (now - at).total_seconds() for kind, at in newest}


def proof_age_s(*, now: datetime) -> float | None:
    """Return the seconds since a backup was last proved good, or None when none ever was."""
    at = Restore.objects.filter(is_good=True).aggregate(at=Max("finished_at"))["at"]
    return (now - at).total_seconds() if at else None


def backups_table() -> QuerySet[Backup, dict[str, Any]]:
    """Return the registry as dicts, newest first, to filter and page."""
    rows: QuerySet[Backup, dict[str, Any]] = Backup.objects.order_by("-started_at", "-id").values(*BACKUP_FIELDS)
    return rows


def restores_table() -> QuerySet[Restore, dict[str, Any]]:
    """Return the proofs as dicts, newest first, to filter and page."""
    rows: QuerySet[Restore, dict[str, Any]] = Restore.objects.order_by("-started_at", "-id").values(*RESTORE_FIELDS)
    return rows
