"""Django's entry for this room."""

from django.apps import AppConfig


class DeskConfig(AppConfig):
    """The staff room: pages and pictures."""

    name = "apps.desk"
    label = "desk"
