"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.binance import client, wire

PAIR = "BTCUSDT"


async def check(caller: Caller) -> CheckResult:
    """Ask for one pair and say its price and how much of our quota is used. Raises what the caller raises."""
    reply = await client.tickers(caller, (PAIR,))
    rows = wire.read_tickers(reply.body)
    weight = reply.headers.get("x-mbx-used-weight-1m", "unknown")
    return CheckResult(is_good=bool(rows), message=f"{len(rows)} pair; weight used this minute: {weight}")
