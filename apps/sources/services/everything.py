"""One fetch of all that a source offers, for the command line: counts only, nothing is stored but the trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from apps.core.db import durable
from apps.core.progress import Progress, unheard
from apps.sources.errors import NotOffered
from apps.sources.ports import Vendor
from apps.sources.registry import vendor_of
from apps.sources.services.articles import fetch_articles_of
from apps.sources.services.fetching import fetch_books, fetch_candles, fetch_markets
from apps.sources.services.sports import fetch_match_results, fetch_odds
from apps.sources.services.tickers import fetch_tickers
from apps.sources.types import Batch, FetchCounts

BOOKS_MAX = 40  # enough to see that books come; the desk itself asks for what it watches


@durable
def fetch_everything(
    *, source: str, keys: Sequence[str], now: datetime, by: str, progress: Progress = unheard
) -> tuple[FetchCounts, ...]:
    """Fetch what a source offers and return the counts of each fetch.

    `keys` are symbols, seasons or outcome keys; without them a source that needs some takes its own default symbols, or the
    outcomes of the first open markets of the sources that it quotes. Raises what the fetches raise, and NotOffered when
    there is nothing to fetch: an analyst is asked, not fetched.
    """
    vendor = vendor_of(source)
    batches = _batches(vendor, keys, now=now, by=by, progress=progress)
    counts = tuple(
        FetchCounts(operation=batch.operation, records=len(batch.records), rejected=len(batch.rejected), stale=batch.stale)
        for batch in batches
    )
    if not counts:
        raise NotOffered(f"{source} has nothing to fetch; it offers {', '.join(vendor.offers)}")
    return counts


def _batches(vendor: Vendor, keys: Sequence[str], *, now: datetime, by: str, progress: Progress) -> Iterator[Batch[Any]]:
    if vendor.open_markets is not None:
        yield fetch_markets(source=vendor.slug, now=now, by=by, progress=progress)
    if vendor.books is not None:
        outcome_keys = keys or _open_outcomes(vendor, now=now, by=by)
        yield fetch_books(source=vendor.slug, outcome_keys=outcome_keys, now=now, by=by, progress=progress)
    if vendor.candles is not None:
        symbols = vendor.keys_for(keys, now=now)
        for number, symbol in enumerate(symbols):
            progress(number, len(symbols), f"candles of {symbol}")
            yield fetch_candles(source=vendor.slug, symbol=symbol, now=now, by=by)[1]
    if vendor.tickers is not None:
        yield fetch_tickers(source=vendor.slug, symbols=vendor.keys_for(keys, now=now), now=now, by=by)
    if vendor.odds is not None:
        yield fetch_odds(source=vendor.slug, keys=keys, now=now, by=by, progress=progress)
    if vendor.match_results is not None:
        yield fetch_match_results(source=vendor.slug, keys=keys, now=now, by=by, progress=progress)
    if vendor.articles is not None:
        yield fetch_articles_of(source=vendor.slug, keys=keys, now=now, by=by, progress=progress)


def _open_outcomes(vendor: Vendor, *, now: datetime, by: str) -> list[str]:
    """Return the keys of some outcomes that are traded now, of the sources that this one quotes."""
    markets = [market for slug in vendor.quotes_for for market in fetch_markets(source=slug, now=now, by=by).records]
    return [outcome.key for market in markets if market.accepts_orders for outcome in market.outcomes][:BOOKS_MAX]
