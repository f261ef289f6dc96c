"""`backup`: take a backup now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.backups import services
from apps.backups.retention import KINDS
from apps.core import clock
from apps.core.commands import DeskCommand
from apps.core.progress import on_terminal


class Command(DeskCommand):
    """Dump the database into BACKUP_DIR."""

    help = "Take a backup; exit 0 when the file is complete and registered, 1 when it failed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the kind, which decides how long the file is kept."""
        parser.add_argument("--kind", choices=KINDS, default="daily", help="how long it is kept: 7 daily, 5 weekly, 12 monthly")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Take it and return the figures."""
        with on_terminal("Backup", is_json=options["json"]) as progress:
            backup = services.take(kind=options["kind"], now=clock.now(), by="command", progress=progress)
        return backup.is_done, backup.as_figures()
