"""The room's verbs: fetching from vendors, and keeping the sources themselves."""

from apps.sources.services.everything import fetch_everything
from apps.sources.services.fetching import (
    fetch_books,
    fetch_candles,
    fetch_market_states,
    fetch_markets,
    fetch_price_history,
)
from apps.sources.services.forgetting import forget_old_fetches
from apps.sources.services.keeping import ensure_sources, pause, reset_breaker, resume, self_check

__all__ = [
    "ensure_sources",
    "fetch_books",
    "fetch_candles",
    "fetch_everything",
    "fetch_market_states",
    "fetch_markets",
    "fetch_price_history",
    "forget_old_fetches",
    "pause",
    "reset_breaker",
    "resume",
    "self_check",
]
