"""Django's entry for this room."""

from django.apps import AppConfig


class SettlementConfig(AppConfig):
    """Outcomes become money, exactly once."""

    name = "apps.settlement"
    label = "settlement"
