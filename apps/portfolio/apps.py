"""Django's entry for this room."""

from django.apps import AppConfig


class PortfolioConfig(AppConfig):
    """What we hold."""

    name = "apps.portfolio"
    label = "portfolio"
