"""Django's entry for this room."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Whose data it is."""

    name = "apps.tenants"
    label = "tenants"
