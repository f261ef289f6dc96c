"""Django's entry for this room."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who may come in."""

    name = "apps.accounts"
    label = "accounts"
