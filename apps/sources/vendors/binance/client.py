"""Binance's addresses and parameters (https://developers.binance.com/docs/binance-spot-api-docs/rest-api)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from apps.sources.ports import Caller, Params, Reply

PAIRS_PER_CALL = 20  # up to twenty pairs weigh 2 together, the twenty-first makes it 40
BARS_PER_CALL = 1_000
MILLISECONDS = 1_000


async def tickers(caller: Caller, pairs: Sequence[str]) -> Reply:
    """Ask for the 24-hour figures of some pairs; one that is unknown spoils the whole question."""
    return await caller.get("/api/v3/ticker/24hr", (("symbols", json.dumps(list(pairs), separators=(",", ":"))),))


async def all_tickers(caller: Caller) -> Reply:
    """Ask for the 24-hour figures of every pair."""
    return await caller.get("/api/v3/ticker/24hr")


async def klines(caller: Caller, pair: str, since: datetime | None) -> Reply:
    """Ask for up to a thousand daily bars of a pair: the newest, or those from `since` on."""
    params: Params = (("symbol", pair), ("interval", "1d"), ("limit", str(BARS_PER_CALL)))
    if since is not None:
        params = (*params, ("startTime", str(int(since.timestamp() * MILLISECONDS))))
    return await caller.get("/api/v3/klines", params)
