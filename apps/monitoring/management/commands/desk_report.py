"""`desk_report`: what a run did and whether everything adds up."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import DeskCommand
from apps.monitoring import report

ACTOR = "desk_report"


class Command(DeskCommand):
    """Prints the report; exit 0 when every check holds. `--pending` only says, quickly, what still has to happen."""

    help = "Seal, verify books and audit, back up, restore the backup, and report."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--pending`."""
        parser.add_argument("--pending", action="store_true", help="only count what still has to happen")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Make the report."""
        now = clock.now()
        if options["pending"]:
            return True, report.pending(now=now)
        figures = report.full(by=ACTOR, now=now)
        return figures["is_good"], figures
