"""`verify_backup`: prove a backup by restoring it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.backups import services
from apps.core import clock
from apps.core.commands import DeskCommand
from apps.core.progress import on_terminal


class Command(DeskCommand):
    """Restore into a scratch server and compare every table."""

    help = "Restore a backup into a scratch server; exit 0 when nothing differs, 1 when something does, 2 when it cannot be told."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the backup."""
        parser.add_argument("backup_id", metavar="ID", nargs="?", help="which backup; the newest when left out")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Verify and return the figures."""
        with on_terminal("Proof", is_json=options["json"]) as progress:
            restore = services.verify(backup_id=options["backup_id"], now=clock.now(), by="command", progress=progress)
        return restore.is_good, restore.as_figures()
