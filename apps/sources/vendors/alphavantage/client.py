"""Alpha Vantage's address and parameters (https://www.alphavantage.co/documentation)."""

from __future__ import annotations

from apps.sources.ports import Caller, Reply


async def quote(caller: Caller, symbol: str) -> Reply:
    """Ask for the price of one share."""
    return await caller.get("/query", (("function", "GLOBAL_QUOTE"), ("symbol", symbol)))


async def daily(caller: Caller, symbol: str) -> Reply:
    """Ask for the last hundred daily bars of a share: as many as a free key is given."""
    return await caller.get("/query", (("function", "TIME_SERIES_DAILY"), ("symbol", symbol), ("outputsize", "compact")))
