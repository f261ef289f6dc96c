"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.newsapi import client, wire

WORDS = '"stock market"'


async def check(caller: Caller) -> CheckResult:
    """Ask for one article and say how many there are. Raises what the caller raises."""
    reply = await client.everything(caller, WORDS, page=1, size=1)
    page = wire.read_page(reply.body)
    return CheckResult(is_good=bool(page.rows), message=f"{page.total} articles about {WORDS}")
