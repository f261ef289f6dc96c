"""From Google News' feed to articles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from apps.sources.gates.articles import believed
from apps.sources.gathering import gather
from apps.sources.plain_text import plain
from apps.sources.ports import Caller, Gathered
from apps.sources.searching import Found, joined, search_each
from apps.sources.types import SUMMARY_LENGTH, ArticleRecord
from apps.sources.vendors.google_news import client, wire

SEARCHES_MAX = 3


async def articles(caller: Caller, keys: Sequence[str]) -> Gathered[ArticleRecord]:
    """Fetch the week's articles about any of these words. Raises VendorAway, VendorRefused, BadAnswer."""
    searches = joined(keys, length_max=client.SEARCH_LENGTH_MAX, searches_max=SEARCHES_MAX)
    return await search_each(searches, partial(_search, caller))


async def _search(caller: Caller, words: str) -> Found[ArticleRecord]:
    reply = await client.search(caller, words)
    items = wire.read_items(reply.body)
    return Found(gathered=gather(items, partial(as_record, received_at=reply.received_at), key="guid"))


def as_record(value: object, *, received_at: datetime) -> ArticleRecord:
    """Turn one raw item into the desk's record. Raises BadRow."""
    item = wire.read_item(value)
    title = item.title.removesuffix(f" - {item.source}") if item.source else item.title
    return believed(
        key=item.guid,
        kind="news",
        url=item.link,
        title=title,
        summary=_summary(item.description, title),
        publisher=item.source,
        language="en",
        published_at=item.published_at,
        received_at=received_at,
    )


def _summary(description: str, title: str) -> str:
    """Return what the description says beyond the title: mostly nothing, for it repeats it."""
    shown = plain(description, SUMMARY_LENGTH)
    return "" if shown.startswith(plain(title, SUMMARY_LENGTH)[:80]) else shown
