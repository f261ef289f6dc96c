"""From NewsAPI's pages to articles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from apps.sources.errors import BadAnswer, VendorAway, VendorRefused
from apps.sources.gates.articles import believed
from apps.sources.gathering import gather, lost
from apps.sources.ports import Caller, Gathered
from apps.sources.searching import Found, joined, search_each
from apps.sources.types import ArticleRecord
from apps.sources.vendors.newsapi import client, wire

SEARCHES_MAX = 3
PAGES_MAX = 2  # newest first: what lies beyond two hundred articles was news before


async def articles(caller: Caller, keys: Sequence[str]) -> Gathered[ArticleRecord]:
    """Fetch the newest articles about any of these words. Raises VendorAway, VendorRefused, BadAnswer."""
    searches = joined(keys, length_max=client.SEARCH_LENGTH_MAX, searches_max=SEARCHES_MAX)
    return await search_each(searches, partial(_search, caller))


async def _search(caller: Caller, words: str) -> Found[ArticleRecord]:
    """Read the pages of one search; an account that may not page so far keeps what it may."""
    gathered: Gathered[ArticleRecord] = Gathered()
    for page in range(1, PAGES_MAX + 1):
        try:
            reply = await client.everything(caller, words, page=page)
            read = wire.read_page(reply.body)
        except (VendorAway, VendorRefused, BadAnswer) as error:
            if page == 1:
                raise
            return Found(gathered=gathered.plus(lost(error) if isinstance(error, BadAnswer) else Gathered(complete=False)))
        gathered = gathered.plus(gather(read.rows, partial(as_record, received_at=reply.received_at), key="url"))
        if page * client.PAGE_SIZE >= read.total or len(read.rows) < client.PAGE_SIZE:
            break
    return Found(gathered=gathered)


def as_record(value: object, *, received_at: datetime) -> ArticleRecord:
    """Turn one raw article into the desk's record. Raises BadRow."""
    article = wire.read_article(value)
    return believed(
        key=article.url,
        kind="news",
        url=article.url,
        title=article.title,
        summary=article.description,
        publisher=article.source_name,
        language="en",
        published_at=article.published_at,
        received_at=received_at,
    )
