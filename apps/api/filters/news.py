"""Filters of articles and posts."""

from __future__ import annotations

from apps.api.filters.base import Filters, before, of_id, one_of, same, since


class ArticleFilter(Filters):
    """By what they are about, where they are from, and time."""

    market = of_id("links__market_id", is_distinct=True)
    instrument = of_id("links__instrument_id", is_distinct=True)
    kind = one_of("news", "post")
    source = same()
    publisher = same()
    language = same()
    published_since = since("published_at")
    published_before = before("published_at")
