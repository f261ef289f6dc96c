"""Finnhub's addresses and parameters (https://finnhub.io/docs/api)."""

from __future__ import annotations

from apps.sources.ports import Caller, Reply


async def quote(caller: Caller, symbol: str) -> Reply:
    """Ask for the price of one share."""
    return await caller.get("/api/v1/quote", (("symbol", symbol),))
