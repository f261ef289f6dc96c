"""`manage.py fetch SOURCE`: ask a vendor for all that it offers and print what came."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core.clock import now
from apps.core.commands import EXIT_BAD, DeskCommand
from apps.core.progress import on_terminal
from apps.sources import services
from apps.sources.errors import BadAnswer

ACTOR = "command:fetch"


class Command(DeskCommand):
    """Exit 0: all of it could be read; 1: something was not believed; 2: the vendor could not be asked."""

    help = "Asks a source for all that it offers and prints what came."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the source and what to ask it for."""
        parser.add_argument("source", metavar="SOURCE", help="slug of the source, such as polymarket_gamma")
        parser.add_argument("--key", action="append", default=[], help="a symbol or outcome key; may be given many times")
        parser.add_argument("--force-refresh", action="store_true", help="ask anew: close the source's breaker first")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Fetch and count."""
        source, moment = options["source"], now()
        if options["force_refresh"]:
            services.reset_breaker(source=source, by=ACTOR, now=moment)
        try:
            with on_terminal(f"Fetch of {source}", is_json=options["json"]) as progress:
                counts = services.fetch_everything(source=source, keys=options["key"], by=ACTOR, now=moment, progress=progress)
        except BadAnswer as error:
            self.leave(EXIT_BAD, f"not believed: {error}")
        records, rejected = sum(c.records for c in counts), sum(c.rejected for c in counts)
        is_good = rejected == 0 and not any(c.stale for c in counts)
        fetches = [asdict(c) for c in counts]
        return is_good, {"source": source, "records": records, "rejected": rejected, "fetches": fetches}
