"""Filters of sources, markets and instruments."""

from __future__ import annotations

from apps.api.filters.base import Filters, before, of_id, one_of, same, since, truth


class SourceFilter(Filters):
    """By state."""

    state = one_of("on", "off", "paused")


class MarketFilter(Filters):
    """By state, kind and close."""

    state = one_of("open", "closed", "resolved", "void")
    source = same()
    category = same()
    pays = one_of("binary", "linear")
    event = of_id("event_id")
    instrument = of_id("instrument_id")
    slug = same(length_max=200)
    accepts_orders = truth()
    closes_since = since("closes_at")
    closes_before = before("closes_at")


class OutcomeFilter(Filters):
    """By market."""

    market = of_id("market_id")


class QuoteFilter(Filters):
    """By outcome and time."""

    outcome = of_id("outcome_id")
    received_since = since("received_at")
    received_before = before("received_at")


class InstrumentFilter(Filters):
    """By symbol and kind."""

    symbol = same()
    source = same()
    kind = same()


class CandleFilter(Filters):
    """By instrument and time."""

    instrument = of_id("instrument_id")
    symbol = same("instrument__symbol")
    is_final = truth()
    closes_since = since("closes_at")
    closes_before = before("closes_at")
