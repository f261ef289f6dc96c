"""`reverse_settlement ID --reason TEXT`: undo a settlement by mirror entries."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import DeskCommand
from apps.settlement import services

BY = "command:reverse_settlement"


class Command(DeskCommand):
    """Good is: it is reversed."""

    help = "Undo a settlement: mirror its ledger entries and reopen its positions."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which settlement, and why."""
        parser.add_argument("settlement_id", metavar="ID")
        parser.add_argument("--reason", required=True, help="why; kept with the settlement and in the audit log")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Reverse it and show it."""
        reversed_ = services.reverse_settlement(
            settlement_id=options["settlement_id"], reason=options["reason"], now=clock.now(), by=BY
        )
        return True, asdict(reversed_)
