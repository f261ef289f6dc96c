"""One small question to the recordings."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.betfair_stream import client, feed


async def check(caller: Caller) -> CheckResult:
    """List the recordings and read the newest one. Raises what the caller raises."""
    files = await client.names(caller)
    if not files:
        return CheckResult(is_good=False, message="no recording is there")
    newest = next(reversed(files))
    gathered = await feed.market_states(caller, (newest,))
    count = len(gathered.records)
    message = f"{len(files)} recordings; {count} markets in that of {newest}"
    return CheckResult(is_good=not gathered.rejected, message=message)
