"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.twitter import client, wire

WORDS = '"stock market"'


async def check(caller: Caller) -> CheckResult:
    """Ask for a search and say how many posts can be seen. Raises what the caller raises."""
    reply = await client.search_recent(caller, WORDS, count=client.PAGE_SIZE_MIN)
    rows = wire.read_answer(reply.body).rows
    return CheckResult(is_good=bool(rows), message=f"{len(rows)} posts about {WORDS}")
