"""`forecast [--market ID] [--force] [--json]`: make the forecasts that are due, or one."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import DeskCommand
from apps.core.errors import Invalid
from apps.forecasts import services

ACTOR = "command:forecast"


class Command(DeskCommand):
    """Forecast what is due."""

    help = "Forecast every market that is due, or one market."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--market", default="", metavar="ID", help="this market only")
        parser.add_argument("--force", action="store_true", help="with --market: also when it is not due")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Forecast and return how many forecasts were made."""
        if options["market"]:
            return True, _one(options["market"], force=options["force"])
        if options["force"]:
            raise Invalid("--force needs --market ID", field="force")
        return True, {"forecasts": services.forecast_due(now=clock.now(), by=ACTOR)}


def _one(market_id: str, *, force: bool) -> dict[str, Any]:
    made = services.forecast_market(market_id=market_id, force=force, now=clock.now(), by=ACTOR)
    if made is None:
        return {"forecasts": 0, "reason": "not due: nothing it is made from has changed"}
    figures = {name: getattr(made, name) for name in ("id", "market_id", "model", "p_price", "p_model", "p_final", "value")}
    return {"forecasts": 1, **{name: value for name, value in figures.items() if value is not None}}
