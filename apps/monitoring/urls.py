"""Paths of the caretaker. `/healthz` and `/livez` are not here: the middleware answers them before anything else."""

from django.urls import path

from apps.monitoring import health, views

urlpatterns = [
    path("readyz", health.readyz, name="readyz"),
    path("health", health.health, name="health"),
    path("health/detailed", health.detailed, name="health-detailed"),
    path("metrics", views.metrics, name="metrics"),
    path("api/metrics", views.api_metrics, name="api-metrics"),
    path("monitoring/metrics", views.monitoring_metrics, name="monitoring-metrics"),
    path("backup/status", views.backup_status, name="backup-status"),
    path("risk/status", views.risk_status, name="risk-status"),
]
