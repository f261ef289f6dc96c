"""Django's entry for this room."""

from django.apps import AppConfig


class SourcesConfig(AppConfig):
    """The windows: what vendors say, in the desk's own words, and a record of every time they were asked."""

    name = "apps.sources"
    label = "sources"
