"""How this room fails."""

from __future__ import annotations

from apps.core.errors import Conflict, Invalid, NotFound


class ForecastNotFound(NotFound):
    """No forecast has been made of this market yet; it may not be due, or have no price and no bars."""

    code = "forecast-not-found"
    category = "forecasts"


class MarketNotOpen(Conflict):
    """Only open markets before their scheduled close are forecast."""

    code = "market-not-open"
    category = "forecasts"
    public_message = "This market is no longer open for forecasts."


class UnknownGrouping(Invalid):
    """Scores are grouped by source, category, horizon and model only."""

    code = "unknown-grouping"
    public_message = "Group by source, category, horizon or model."
