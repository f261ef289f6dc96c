"""CoinGecko's address and parameters (https://docs.coingecko.com/reference/coins-markets)."""

from __future__ import annotations

from collections.abc import Sequence

from apps.sources.ports import Caller, Reply

COINS_PER_CALL = 250


async def markets(caller: Caller, ids: Sequence[str]) -> Reply:
    """Ask for up to 250 coins in US dollars; ids that are unknown are left out of the answer."""
    params = (("vs_currency", "usd"), ("ids", ",".join(ids)), ("per_page", str(COINS_PER_CALL)), ("page", "1"))
    return await caller.get("/api/v3/coins/markets", params)
