"""Filters of forecasts, scores and signals."""

from __future__ import annotations

from apps.api.filters.base import Filters, before, of_id, one_of, same, since


class ForecastFilter(Filters):
    """By market, group and time."""

    market = of_id("market_id")
    source = same()
    category = same()
    horizon = same()
    model = same()
    made_since = since("as_of")
    made_before = before("as_of")


class ScoreFilter(Filters):
    """By market, group and time."""

    market = of_id("market_id")
    source = same()
    category = same()
    horizon = same()
    scored_since = since("scored_at")
    scored_before = before("scored_at")


class SignalFilter(Filters):
    """By market, portfolio and state."""

    market = of_id("market_id")
    portfolio_kind = one_of("main", "shadow")
    state = one_of("new", "suppressed", "taken", "denied", "expired")
    made_since = since("made_at")
    made_before = before("made_at")
