"""The safe in the admin: to read, never to write."""

from __future__ import annotations

from django.contrib import admin

from apps.backups.models import Backup, Restore
from apps.core.read_only import ReadOnlyAdmin


@admin.register(Backup)
class BackupAdmin(ReadOnlyAdmin):
    """Dumps, newest first."""

    list_display = ("id", "kind", "state", "size_bytes", "started_at", "finished_at", "error")
    list_filter = ("kind", "state")
    search_fields = ("=id", "checksum")
    date_hierarchy = "started_at"


@admin.register(Restore)
class RestoreAdmin(ReadOnlyAdmin):
    """Proofs, newest first."""

    list_display = ("id", "backup", "is_good", "tables_compared", "rows_compared", "started_at", "finished_at")
    list_filter = ("is_good",)
    list_select_related = ("backup",)
    search_fields = ("=id", "=backup__id")
    date_hierarchy = "started_at"
