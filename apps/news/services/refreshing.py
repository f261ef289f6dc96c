"""Fetching what was written: the sources of a kind at once or one of them, then one transaction for all that they brought."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from apps.core.db import durable
from apps.news.following import Following, following
from apps.news.services.storing import store_articles
from apps.news.types import NewsCounts, SourcePart
from apps.sources import services as sources

if TYPE_CHECKING:
    from apps.sources.hauls import ArticleHaul

SYMBOL_READERS = ("finnhub",)  # sources that are asked for shares; all others search for words


@durable
def refresh_news(*, now: datetime, by: str, source: str = "") -> NewsCounts:
    """Fetch news from all its sources at once, or from one, and store what is new; nothing when another process is at it.

    Sources that failed are named in the counts. In a worker it is done in parts (`sources.run_errand`).
    """
    return _refresh("news", source, now=now, by=by)


@durable
def refresh_posts(*, now: datetime, by: str, source: str = "") -> NewsCounts:
    """Fetch posts as `refresh_news` fetches news."""
    return _refresh("posts", source, now=now, by=by)


def _refresh(haul_name: str, source: str, *, now: datetime, by: str) -> NewsCounts:
    work = partial(_fetch_and_store, haul_name, source, now=now, by=by)
    name = f"news.refresh.{haul_name}.{source}" if source else f"news.refresh.{haul_name}"
    return sources.run_errand(name=name, work=work, idle=NewsCounts(), now=now)


def _fetch_and_store(haul_name: str, source: str, *, now: datetime, by: str) -> NewsCounts:
    followed = following()
    # Decided once: other wishes in the middle would be other questions.
    wishes = sources.once(what="wishes", decide=lambda: _wishes(followed))
    haul = sources.fetch_articles(haul=haul_name, wishes=wishes, now=now, by=by, source=source)
    counts = store_articles(batches=haul.batches, followed=followed, now=now, by=by)
    return replace(counts, parts=_parts(haul))


def _wishes(followed: Following) -> dict[str, list[str]]:
    by_words = {slug: list(followed.words) for slug in ("newsapi", "google_news", "reddit", "twitter")}
    return by_words | {slug: list(followed.symbols) for slug in SYMBOL_READERS}


def _parts(haul: ArticleHaul) -> tuple[SourcePart, ...]:
    return tuple(
        SourcePart(source=p.source, state=p.state, brought=p.brought, reason=p.reason, duration_s=p.duration_s)
        for p in haul.parts
    )
