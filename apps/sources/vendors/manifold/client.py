"""Manifold's addresses and parameters (https://docs.manifold.markets/api).

`/search-markets` is the list that knows open from ended and kinds of markets apart; `/markets` lists all there ever
were, the newest first. Both give the same objects. An `offset` names the place in a search.
"""

from __future__ import annotations

from urllib.parse import quote

from apps.sources.ports import Caller, Params, Reply

PAGE_SIZE = 1000
BETS_MAX = 1000


async def open_markets(caller: Caller, offset: int, size: int = PAGE_SIZE) -> Reply:
    """Ask for one page of open questions with the answers yes and no, the most traded of the last day first."""
    params: Params = (("term", ""), ("filter", "open"), ("contractType", "BINARY"), ("sort", "24-hour-vol"))
    return await caller.get("/search-markets", (*params, ("limit", str(size)), ("offset", str(offset))))


async def market(caller: Caller, market_id: str) -> Reply:
    """Ask for one market, whatever its state."""
    return await caller.get(f"/market/{quote(market_id, safe='')}")


async def bets(caller: Caller, market_id: str) -> Reply:
    """Ask for the newest bets on a market."""
    return await caller.get("/bets", (("contractId", market_id), ("limit", str(BETS_MAX))))
