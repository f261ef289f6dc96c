"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.coingecko import feed

SYMBOL = "BTC"


async def check(caller: Caller) -> CheckResult:
    """Ask for one coin and say its price. Raises what the caller raises."""
    gathered = await feed.tickers(caller, (SYMBOL,))
    found = [f"{ticker.name} at {ticker.price} {ticker.currency}" for ticker in gathered.records]
    return CheckResult(is_good=bool(found), message=", ".join(found) or f"no believable price of {SYMBOL}")
