"""From Reddit's listings to posts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from apps.sources.gates.articles import believed
from apps.sources.gathering import gather
from apps.sources.ports import Caller, Gathered
from apps.sources.searching import Found, has_calls_left, joined, search_each
from apps.sources.types import ArticleRecord
from apps.sources.vendors.reddit import client, wire

SEARCHES_MAX = 3
PUBLIC_ADDRESS = "https://www.reddit.com"  # where people read, whatever address the programs are given


async def articles(caller: Caller, keys: Sequence[str]) -> Gathered[ArticleRecord]:
    """Fetch the week's posts about any of these words. Raises VendorAway, VendorRefused, BadAnswer."""
    searches = joined(keys, length_max=client.SEARCH_LENGTH_MAX, searches_max=SEARCHES_MAX)
    return await search_each(searches, partial(_search, caller))


async def _search(caller: Caller, words: str) -> Found[ArticleRecord]:
    reply = await client.search(caller, words)
    return Found(
        gathered=gathered_of(reply.body, received_at=reply.received_at),
        may_ask_more=has_calls_left(reply.headers, client.CALLS_LEFT),
    )


def gathered_of(body: bytes, *, received_at: datetime) -> Gathered[ArticleRecord]:
    """Turn a listing into posts. Raises BadAnswer."""
    return gather(wire.read_listing(body), partial(as_record, received_at=received_at), key="name")


def as_record(value: object, *, received_at: datetime) -> ArticleRecord:
    """Turn one raw post into the desk's record; its address is that of the talk about it. Raises BadRow."""
    post = wire.read_post(value)
    return believed(
        key=post.name,
        kind="post",
        url=PUBLIC_ADDRESS + post.permalink,
        title=post.title,
        summary=post.text,
        publisher=f"r/{post.subreddit}",
        language="",
        published_at=post.created_at,
        received_at=received_at,
        score=post.score,
    )
