"""The address and parameters of X/Twitter's recent search; the token goes into a header."""

from __future__ import annotations

from apps.sources.ports import Caller, Reply

WITHOUT_ECHO = "-is:retweet lang:en"
SEARCH_LENGTH_MAX = 512 - len(WITHOUT_ECHO) - len("() ")  # the vendor's limit is 512 for the whole search
CALLS_LEFT = "x-rate-limit-remaining"
PAGE_SIZE, PAGE_SIZE_MIN = 100, 10
FIELDS = (
    ("tweet.fields", "created_at,lang,public_metrics,entities,author_id"),
    ("expansions", "author_id"),
    ("user.fields", "username"),
)


async def search_recent(caller: Caller, words: str, *, count: int = PAGE_SIZE) -> Reply:
    """Ask for the newest posts in English of the last week about `words`, repeats of others left out."""
    params = (("query", f"({words}) {WITHOUT_ECHO}"), ("max_results", str(count)), *FIELDS)
    return await caller.get("/2/tweets/search/recent", params)
