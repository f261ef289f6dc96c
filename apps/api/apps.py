"""Django's entry for this room."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Reception: DRF."""

    name = "apps.api"
    label = "api"
