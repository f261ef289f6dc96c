"""Django's entry for this room."""

from django.apps import AppConfig

from apps.core.clock import monotonic_s

# Read while Django sets itself up; the pages are only imported with the first request.
STARTED_S = monotonic_s()


class MonitoringConfig(AppConfig):
    """The caretaker: health, metrics, failed tasks, the report."""

    name = "apps.monitoring"
    label = "monitoring"
