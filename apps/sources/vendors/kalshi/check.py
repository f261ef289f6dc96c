"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.gathering import gather
from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.kalshi import client, feed, wire

SIZE = 5


async def check(caller: Caller) -> CheckResult:
    """Ask for five open markets and say how many can be read. Raises what the caller raises."""
    reply = await client.some_markets(caller, SIZE)
    rows, _ = wire.read_page(reply.body)
    gathered = gather(rows, feed.as_record, key="ticker")
    reasons = "; ".join(rejected.reason for rejected in gathered.rejected)
    message = f"{len(gathered.records)} of {len(rows)} markets read" + (f": {reasons}" if reasons else "")
    return CheckResult(is_good=bool(gathered.records), message=message)
