"""Django's entry for this room."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Core has one table: who is in which section of one process at a time."""

    name = "apps.core"
    label = "core"
