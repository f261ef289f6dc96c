"""Django's entry for this room."""

from django.apps import AppConfig


class BackupsConfig(AppConfig):
    """The safe: backups proved by restoring them."""

    name = "apps.backups"
    label = "backups"
