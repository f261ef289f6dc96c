"""Django's entry for this room."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Core has no tables of its own."""

    name = "apps.core"
    label = "core"
