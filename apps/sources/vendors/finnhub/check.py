"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.finnhub import feed

SYMBOL = "AAPL"


async def check(caller: Caller) -> CheckResult:
    """Ask for one share and say its price. Raises what the caller raises."""
    gathered = await feed.tickers(caller, (SYMBOL,))
    found = [f"{ticker.symbol} at {ticker.price} {ticker.currency}" for ticker in gathered.records]
    return CheckResult(is_good=bool(found), message=", ".join(found) or f"no believable price of {SYMBOL}")
