"""Django's entry for this room."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The book: double entry that has never heard of a bet."""

    name = "apps.ledger"
    label = "ledger"
