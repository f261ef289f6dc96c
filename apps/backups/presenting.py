"""Turning rows into the frozen types that leave this room."""

from __future__ import annotations

from apps.backups.content import row_count
from apps.backups.models import Backup, Restore
from apps.backups.types import BackupView, RestoreView


def view_of_backup(row: Backup) -> BackupView:
    """Return one line of the registry."""
    return BackupView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        path=row.path,
        size_bytes=row.size_bytes,
        checksum=row.checksum,
        tables=len(row.content),
        rows=row_count(row.content),
        server_version=row.server_version,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.error,
    )


def view_of_restore(row: Restore) -> RestoreView:
    """Return one proof."""
    return RestoreView(
        id=row.id,
        backup_id=row.backup_id,
        is_good=row.is_good,
        tables_compared=row.tables_compared,
        rows_compared=row.rows_compared,
        differences=tuple(row.differences),
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
