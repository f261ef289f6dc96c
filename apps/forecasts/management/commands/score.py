"""`score [--by source,category,horizon] [--json]`: judge what has been resolved and show the scores by group."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import DeskCommand
from apps.core.progress import on_terminal
from apps.forecasts import selectors, services

ACTOR = "command:score"


class Command(DeskCommand):
    """Score what has been resolved."""

    help = "Score forecasts of resolved markets and show mean scores by group."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--by", default="source,category", help="comma-separated: source, category, horizon, model")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Score, and return the number of new scores and the groups."""
        by = [name.strip() for name in options["by"].split(",") if name.strip()]
        groups = selectors.score_groups(by=by)  # a wrong grouping is refused before anything is done
        with on_terminal("Scores", is_json=options["json"]) as progress:
            scored = services.score_resolved(now=clock.now(), by=ACTOR, progress=progress)
        return True, {"scored": scored, "scores": selectors.score_groups(by=by) if scored else groups}
