"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.google_news import client, wire

WORDS = '"stock market"'


async def check(caller: Caller) -> CheckResult:
    """Ask for one search and say how many articles can be seen. Raises what the caller raises."""
    reply = await client.search(caller, WORDS)
    items = wire.read_items(reply.body)
    return CheckResult(is_good=bool(items), message=f"{len(items)} articles about {WORDS}")
