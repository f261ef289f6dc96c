"""Finnhub's news: the general feed of the day, and that of single shares.

Built from the vendor's public documents (https://finnhub.io/docs/api/market-news, …/company-news); no recording was at
hand. Both give a plain list of one shape: `datetime` in whole seconds, `related` the share or an empty text, `id` a
number of the vendor's own. The address often leads over the vendor to the publisher.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from apps.sources.errors import BadAnswer
from apps.sources.gates.articles import believed
from apps.sources.gathering import gather
from apps.sources.ports import Caller, Gathered, Reply
from apps.sources.searching import Found, search_each
from apps.sources.strict import Row, as_rows, excerpt_of, parse_json
from apps.sources.types import ArticleRecord

GENERAL = ""
SHARE = re.compile(r"[A-Z]{1,5}(\.[A-Z])?")
SHARES_MAX = 5
ROWS_MAX = 2_000
WITHIN = timedelta(days=7)
ID_MAX = Decimal(10) ** 15


async def articles(caller: Caller, keys: Sequence[str]) -> Gathered[ArticleRecord]:
    """Fetch the general news, then the week's news of those keys that are shares. Raises VendorAway, VendorRefused, BadAnswer."""
    latest: list[Reply] = []
    shares = [key for key in dict.fromkeys(keys) if SHARE.fullmatch(key)][:SHARES_MAX]

    async def ask(share: str) -> Found[ArticleRecord]:
        # The moment of the first answer tells what day it is, so that no clock is needed for the range of the second.
        reply = await (_company(caller, share, latest[0].received_at) if share else _general(caller))
        latest.append(reply)
        return Found(gathered=gathered_of(reply.body, received_at=reply.received_at))

    return await search_each((GENERAL, *shares), ask)


def gathered_of(body: bytes, *, received_at: datetime) -> Gathered[ArticleRecord]:
    """Turn a list of news into articles. Raises BadAnswer."""
    rows = as_rows(parse_json(body), what="the news")
    if len(rows) > ROWS_MAX:
        raise BadAnswer(f"more than {ROWS_MAX} news in an answer", excerpt=excerpt_of(body))
    return gather(rows, partial(as_record, received_at=received_at), key="id")


def as_record(value: object, *, received_at: datetime) -> ArticleRecord:
    """Turn one raw piece of news into the desk's record. Raises BadRow."""
    row = Row(value)
    return believed(
        key=str(int(row.number("id", low=Decimal(0), high=ID_MAX))),
        kind="news",
        url=row.text("url", length_max=4_000),
        title=row.text("headline", length_max=5_000),
        summary=row.text_or("summary", "", length_max=50_000),
        publisher=row.text_or("source", "", length_max=1_000),
        language="en",
        published_at=row.seconds_moment("datetime"),
        received_at=received_at,
        symbols=row.text_or("related", "", length_max=1_000).split(","),
    )


async def _general(caller: Caller) -> Reply:
    return await caller.get("/api/v1/news", (("category", "general"),))


async def _company(caller: Caller, share: str, now: datetime) -> Reply:
    days = (("from", f"{now - WITHIN:%Y-%m-%d}"), ("to", f"{now:%Y-%m-%d}"))
    return await caller.get("/api/v1/company-news", (("symbol", share), *days))
