"""Django's entry for this room."""

from django.apps import AppConfig


class MarketsConfig(AppConfig):
    """The store: events, markets, outcomes, quotes, instruments, candles, results."""

    name = "apps.markets"
    label = "markets"
