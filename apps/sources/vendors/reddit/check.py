"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.reddit import client, wire

WORDS = '"stock market"'


async def check(caller: Caller) -> CheckResult:
    """Ask for a search and say how many posts can be seen. Raises what the caller raises."""
    reply = await client.search(caller, WORDS, count=1)
    rows = wire.read_listing(reply.body)
    return CheckResult(is_good=bool(rows), message=f"{len(rows)} posts about {WORDS}")
