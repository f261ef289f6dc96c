"""Kalshi's addresses and parameters (https://docs.kalshi.com/getting_started/quick_start_market_data).

Lists are read by `cursor`, which is empty on the last page (https://docs.kalshi.com/getting_started/pagination).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from apps.sources.ports import Caller, Params, Reply

EVENTS_PER_PAGE = 100  # of 200 allowed: an event may hold hundreds of markets
# Tickers of up to 60 characters; servers cut addresses at 8,192.
TICKERS_PER_CALL = 100


async def open_events(caller: Caller, cursor: str) -> Reply:
    """Ask for one page of open events with their markets inside.

    Events carry the title and the category that markets lack, and leave out the combinations of other markets
    ("multivariate") that fill `/markets` by the thousand.
    """
    params: Params = (("limit", str(EVENTS_PER_PAGE)), ("status", "open"), ("with_nested_markets", "true"))
    return await caller.get("/events", params + ((("cursor", cursor),) if cursor else ()))


async def markets(caller: Caller, tickers: Sequence[str]) -> Reply:
    """Ask for the markets of these tickers, in whatever state they are; unknown ones are left out."""
    return await caller.get("/markets", (("limit", str(len(tickers))), ("tickers", ",".join(tickers))))


async def some_markets(caller: Caller, size: int) -> Reply:
    """Ask for a few open markets."""
    return await caller.get("/markets", (("limit", str(size)), ("status", "open")))


async def orderbook(caller: Caller, ticker: str) -> Reply:
    """Ask for the whole book of one market: the bids for yes and the bids for no."""
    return await caller.get(f"/markets/{quote(ticker, safe='')}/orderbook")
