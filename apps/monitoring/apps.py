"""Django's entry for this room."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """The caretaker: health, metrics, failed tasks, the report."""

    name = "apps.monitoring"
    label = "monitoring"
