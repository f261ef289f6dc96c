"""NewsAPI's address and parameters; the key goes into a header."""

from __future__ import annotations

from apps.sources.ports import Caller, Reply

SEARCH_LENGTH_MAX = 500  # the vendor's limit for `q`
PAGE_SIZE = 100


async def everything(caller: Caller, words: str, *, page: int, size: int = PAGE_SIZE) -> Reply:
    """Ask for one page of the articles in English about `words`, newest first."""
    params = (
        ("q", words),
        ("language", "en"),
        ("sortBy", "publishedAt"),
        ("pageSize", str(size)),
        ("page", str(page)),
    )
    return await caller.get("/v2/everything", params)
