"""Reddit's address and parameters. The vendor asks programs to name themselves and answers 429 to those that do not."""

from __future__ import annotations

from apps.sources.ports import Caller, Reply

USER_AGENT = "python:bellwether:0.1 (self-hosted forecasting desk)"
CALLS_LEFT = "x-ratelimit-remaining"
SEARCH_LENGTH_MAX = 512
PAGE_SIZE = 100


async def search(caller: Caller, words: str, *, count: int = PAGE_SIZE) -> Reply:
    """Ask for the newest posts of the last week about `words`, texts without HTML entities."""
    params = (("q", words), ("sort", "new"), ("t", "week"), ("type", "link"), ("limit", str(count)), ("raw_json", "1"))
    return await caller.get("/search.json", params, (("User-Agent", USER_AGENT),))
