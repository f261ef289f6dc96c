"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.yahoo import feed

SYMBOL = "^GSPC"


async def check(caller: Caller) -> CheckResult:
    """Ask for the S&P 500 and say how many bars can be read. Raises what the caller raises."""
    chart = await feed.candles(caller, SYMBOL, None)
    count = len(chart.bars.records)
    return CheckResult(is_good=count > 0, message=f"{count} bars of {chart.instrument.name}")
