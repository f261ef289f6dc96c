"""Yahoo's chart address and parameters; public, without a key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from apps.sources.ports import Caller, Reply

HISTORY_RANGE = "5y"


async def today(caller: Caller, symbol: str) -> Reply:
    """Ask for what a symbol's chart says of its price now, with one bar only."""
    return await caller.get(f"/v8/finance/chart/{quote(symbol, safe='')}", (("interval", "1d"), ("range", "1d")))


async def chart(caller: Caller, symbol: str, since: datetime | None) -> Reply:
    """Ask for the daily bars of a symbol: all of the last five years, or those from `since` on."""
    path = f"/v8/finance/chart/{quote(symbol, safe='')}"
    if since is None:
        return await caller.get(path, (("interval", "1d"), ("range", HISTORY_RANGE)))
    # The end must be named too; it lies well ahead so that no clock of ours cuts off the newest bar.
    end = since.astimezone(UTC) + timedelta(days=3650)
    periods = (("period1", str(int(since.timestamp()))), ("period2", str(int(end.timestamp()))))
    return await caller.get(path, (("interval", "1d"), *periods))
