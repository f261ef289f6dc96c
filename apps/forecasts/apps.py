"""Django's entry for this room."""

from django.apps import AppConfig


class ForecastsConfig(AppConfig):
    """Opinions with a price beside them."""

    name = "apps.forecasts"
    label = "forecasts"
