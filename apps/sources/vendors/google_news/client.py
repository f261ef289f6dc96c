"""Google News' address and parameters; public, without a key."""

from __future__ import annotations

from apps.sources.ports import Caller, Reply

SEARCH_LENGTH_MAX = 400
LOCALE = (("hl", "en-US"), ("gl", "US"), ("ceid", "US:en"))  # the three must agree
WITHIN = "when:7d"


async def search(caller: Caller, words: str) -> Reply:
    """Ask for the articles of the last seven days about `words` in English."""
    return await caller.get("/rss/search", (("q", f"{words} {WITHIN}"), *LOCALE))
