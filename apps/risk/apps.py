"""Django's entry for this room."""

from django.apps import AppConfig


class RiskConfig(AppConfig):
    """The hard limits."""

    name = "apps.risk"
    label = "risk"
