"""Django's entry for this room."""

from django.apps import AppConfig


class SignalsConfig(AppConfig):
    """Edge net of ask and fee, behind the gate."""

    name = "apps.signals"
    label = "signals"
