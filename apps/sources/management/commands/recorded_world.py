"""`manage.py recorded_world`: the same server as `python -m apps.sources.world`."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from apps.core.commands import DeskCommand
from apps.sources.world.__main__ import play
from apps.sources.world.options import add_options


class Command(DeskCommand):
    """Play real recorded markets in the vendors' wire formats until stopped."""

    help = "Plays real recorded markets in the vendors' wire formats."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of the recorded world."""
        add_options(parser)

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Serve until SIGTERM or SIGINT; leave with 2 when it cannot start."""
        code = play(options)
        if code:
            sys.exit(code)
        return True, {"state": "stopped"}
