"""`dead_letters list|replay|discard [ID]`: parked work; with an id, `list` shows that one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import DeskCommand
from apps.core.errors import Invalid
from apps.jobs import selectors, services

ACTOR = "command:dead_letters"
LIST_MAX = 100
DEEDS = {"replay": services.replay, "discard": services.discard}


class Command(DeskCommand):
    """Lists parked jobs, puts one back into its queue, or lets one go."""

    help = "List dead letters, or replay or discard one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the deed and the id."""
        parser.add_argument("deed", choices=["list", *DEEDS])
        parser.add_argument("id", nargs="?", default="")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Do it. Raises Invalid without an id where one is needed."""
        deed, job_id = options["deed"], options["id"]
        if deed == "list":
            letters = (selectors.dead_letter(job_id=job_id),) if job_id else selectors.dead_letters(limit=LIST_MAX)
            return True, {"parked": selectors.parked_count(), "dead_letters": [asdict(letter) for letter in letters]}
        if not job_id:
            raise Invalid(f"{deed} needs the id of a dead letter", field="id")
        DEEDS[deed](job_id=job_id, by=ACTOR, now=clock.now())
        return True, {"id": job_id, "state": "queued" if deed == "replay" else "discarded"}
