"""Fetching what was written: all sources of a kind at once, then one transaction for all that they brought."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from apps.core.db import durable
from apps.core.sections import only_one_asking
from apps.news.following import Following, following
from apps.news.services.storing import store_articles
from apps.news.types import NewsCounts, SourcePart
from apps.sources import services as sources

if TYPE_CHECKING:
    from apps.sources.hauls import ArticleHaul

SYMBOL_READERS = ("finnhub",)  # sources that are asked for shares; all others search for words


@durable
def refresh_news(*, now: datetime, by: str) -> NewsCounts:
    """Fetch news from all its sources at once and store what is new; nothing when another process is at it.

    Sources that failed are named in the counts.
    """
    return _refresh("news", now=now, by=by)


@durable
def refresh_posts(*, now: datetime, by: str) -> NewsCounts:
    """Fetch posts from all their sources at once and store what is new; nothing when another process is at it."""
    return _refresh("posts", now=now, by=by)


def _refresh(haul_name: str, *, now: datetime, by: str) -> NewsCounts:
    with only_one_asking(f"news.refresh.{haul_name}") as is_ours:
        if not is_ours:
            return NewsCounts()
        followed = following()
        haul = sources.fetch_articles(haul=haul_name, wishes=_wishes(followed), now=now, by=by)
        counts = store_articles(batches=haul.batches, followed=followed, now=now, by=by)
        return replace(counts, parts=_parts(haul))


def _wishes(followed: Following) -> dict[str, tuple[str, ...]]:
    by_words = dict.fromkeys(("newsapi", "google_news", "reddit", "twitter"), followed.words)
    return by_words | dict.fromkeys(SYMBOL_READERS, followed.symbols)


def _parts(haul: ArticleHaul) -> tuple[SourcePart, ...]:
    return tuple(
        SourcePart(source=p.source, state=p.state, brought=p.brought, reason=p.reason, duration_s=p.duration_s)
        for p in haul.parts
    )
