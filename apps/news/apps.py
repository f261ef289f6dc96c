"""Django's entry for this room."""

from django.apps import AppConfig


class NewsConfig(AppConfig):
    """The news: articles and posts, tied to markets and instruments."""

    name = "apps.news"
    label = "news"
