"""From X/Twitter's answers to posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from apps.sources.gates.articles import believed
from apps.sources.gathering import gather
from apps.sources.ports import Caller, Gathered
from apps.sources.searching import Found, has_calls_left, joined, search_each
from apps.sources.types import ArticleRecord
from apps.sources.vendors.twitter import client, wire

SEARCHES_MAX = 2
PUBLIC_ADDRESS = "https://x.com/i/web/status/"


async def articles(caller: Caller, keys: Sequence[str]) -> Gathered[ArticleRecord]:
    """Fetch the week's posts about any of these words. Raises VendorAway, VendorRefused, BadAnswer."""
    searches = joined(keys, length_max=client.SEARCH_LENGTH_MAX, searches_max=SEARCHES_MAX)
    return await search_each(searches, partial(_search, caller))


async def _search(caller: Caller, words: str) -> Found[ArticleRecord]:
    reply = await client.search_recent(caller, words)
    return Found(
        gathered=gathered_of(reply.body, received_at=reply.received_at),
        may_ask_more=has_calls_left(reply.headers, client.CALLS_LEFT),
    )


def gathered_of(body: bytes, *, received_at: datetime) -> Gathered[ArticleRecord]:
    """Turn an answer into posts; what the vendor says it could not give is among the rejected. Raises BadAnswer."""
    answer = wire.read_answer(body)
    read = gather(answer.rows, partial(as_record, usernames=answer.usernames, received_at=received_at), key="id")
    return read.plus(Gathered(rejected=answer.errors, complete=not answer.errors))


def as_record(value: object, *, usernames: Mapping[str, str], received_at: datetime) -> ArticleRecord:
    """Turn one raw post into the desk's record: its text is title and summary in one. Raises BadRow."""
    post = wire.read_post(value)
    author = usernames.get(post.author_id, "")
    return believed(
        key=post.id,
        kind="post",
        url=PUBLIC_ADDRESS + post.id,
        title=post.text,
        summary=post.text,
        publisher=f"@{author}" if author else "",
        language=post.language,
        published_at=post.created_at,
        received_at=received_at,
        symbols=post.cashtags,
        score=post.likes,
    )
