"""The room's verbs: reading sources into the store, rolling markets, believing results."""

from apps.markets.services.candles import refresh_candles, store_candles
from apps.markets.services.catalogue import refresh_catalogue, store_markets
from apps.markets.services.matches import refresh_match_results, store_match_results
from apps.markets.services.odds import refresh_odds, store_odds
from apps.markets.services.partitions import drop_old_partitions, ensure_partitions
from apps.markets.services.quotes import refresh_books, store_books
from apps.markets.services.resolution import resolve_from_source, resolve_rolled
from apps.markets.services.rolling import roll_instrument, roll_markets

__all__ = [
    "drop_old_partitions",
    "ensure_partitions",
    "refresh_books",
    "refresh_candles",
    "refresh_catalogue",
    "refresh_match_results",
    "refresh_odds",
    "resolve_from_source",
    "resolve_rolled",
    "roll_instrument",
    "roll_markets",
    "store_books",
    "store_candles",
    "store_markets",
    "store_match_results",
    "store_odds",
]
