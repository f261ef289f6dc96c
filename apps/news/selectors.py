"""Questions to the room: frozen views, or QuerySets of dicts for lists that callers filter and page."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import Q, QuerySet

from apps.markets import selectors as markets
from apps.news.models import Article, ArticleLink
from apps.news.types import ArticleKind, ArticleView, LinkedArticle, LinkReason

Table = QuerySet[Any, dict[str, Any]]
ARTICLE_COLUMNS = (
    *("id", "kind", "source", "url", "title", "summary", "publisher", "language", "published_at", "received_at"),
    *("score", "symbols"),
)


def articles_table() -> Table:
    """List articles and posts as dicts."""
    rows: Table = Article.objects.values(*ARTICLE_COLUMNS)
    return rows


def articles_of_market(market_id: str, *, limit: int) -> tuple[LinkedArticle, ...]:
    """Return at most `limit` articles about a market or its instrument, the newest first. Raises MarketNotFound."""
    market = markets.get_market(market_id)
    ends = Q(market_id=market_id)
    if market.instrument_id is not None:
        ends |= Q(instrument_id=market.instrument_id)
    return _linked(ArticleLink.objects.filter(ends), limit)


def articles_of_instrument(instrument_id: str, *, limit: int) -> tuple[LinkedArticle, ...]:
    """Return at most `limit` articles about an instrument, the newest first. Raises InstrumentNotFound."""
    markets.get_instrument(instrument_id)
    return _linked(ArticleLink.objects.filter(instrument_id=instrument_id), limit)


def _linked(links: QuerySet[ArticleLink], limit: int) -> tuple[LinkedArticle, ...]:
    rows = links.select_related("article").order_by("-article__published_at", "-article_id")[: limit * 2]
    by_article: dict[str, ArticleLink] = {}
    for link in rows:  # an article may be tied to both the market and its instrument: the stronger tie counts
        held = by_article.setdefault(link.article_id, link)
        if link.strength > held.strength:
            by_article[link.article_id] = link
    return tuple(
        LinkedArticle(article=_view(link.article), reason=cast("LinkReason", link.reason), strength=link.strength)
        for link in list(by_article.values())[:limit]
    )


def _view(row: Article) -> ArticleView:
    return ArticleView(
        id=row.id,
        kind=cast("ArticleKind", row.kind),
        source=row.source,
        url=row.url,
        title=row.title,
        summary=row.summary,
        publisher=row.publisher,
        language=row.language,
        published_at=row.published_at,
        received_at=row.received_at,
        score=row.score,
        symbols=tuple(row.symbols),
    )
