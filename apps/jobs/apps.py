"""Django's entry for this room."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The queue of record."""

    name = "apps.jobs"
    label = "jobs"
