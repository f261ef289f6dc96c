"""Django's entry for the clockwork: it brings the command that prepares the desk."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """The clockwork has no tables of its own."""

    name = "tasks"
    label = "tasks"
