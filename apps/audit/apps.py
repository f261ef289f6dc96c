"""Django's entry for this room."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The memory: written beside every change, in the same transaction."""

    name = "apps.audit"
    label = "audit"
