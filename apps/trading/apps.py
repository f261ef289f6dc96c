"""Django's entry for this room."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Orders, fills and the venue."""

    name = "apps.trading"
    label = "trading"
