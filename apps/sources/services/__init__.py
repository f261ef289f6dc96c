"""The room's verbs: fetching from vendors, and keeping the sources themselves."""

from apps.sources.services.analysis import analyse
from apps.sources.services.articles import fetch_articles, fetch_articles_of
from apps.sources.services.doubting import doubt
from apps.sources.services.errands import once, run_errand
from apps.sources.services.everything import fetch_everything
from apps.sources.services.fetching import (
    fetch_books,
    fetch_candles,
    fetch_market_states,
    fetch_markets,
    fetch_price_history,
)
from apps.sources.services.forgetting import forget_old_fetches
from apps.sources.services.keeping import ensure_sources, force_refresh, pause, reset_breaker, resume, self_check
from apps.sources.services.pacing import push_paces, set_pace
from apps.sources.services.screening import screen
from apps.sources.services.sports import fetch_match_results, fetch_odds
from apps.sources.services.tickers import fetch_tickers

__all__ = [
    "analyse",
    "doubt",
    "ensure_sources",
    "fetch_articles",
    "fetch_articles_of",
    "fetch_books",
    "fetch_candles",
    "fetch_everything",
    "fetch_market_states",
    "fetch_markets",
    "fetch_match_results",
    "fetch_odds",
    "fetch_price_history",
    "fetch_tickers",
    "force_refresh",
    "forget_old_fetches",
    "once",
    "pause",
    "push_paces",
    "reset_breaker",
    "resume",
    "run_errand",
    "screen",
    "self_check",
    "set_pace",
]
