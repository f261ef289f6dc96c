"""Articles into the store: each once, however many sources show it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from apps.audit import services as audit
from apps.core.db import lock_for_transaction, transaction
from apps.news.following import Following, following
from apps.news.linking import MarketMatcher, instrument_links
from apps.news.models import Article, ArticleLink, ArticleSighting
from apps.news.recognising import Incoming, Shelf
from apps.news.types import NewsCounts

if TYPE_CHECKING:
    from apps.sources.types import ArticleRecord, Batch

ROWS_A_STATEMENT = 500


@transaction
def store_articles(
    *, batches: Sequence[Batch[ArticleRecord]], now: datetime, by: str, followed: Following | None = None
) -> NewsCounts:
    """Store what the batches bring that is new, note where else known articles were seen, and link the new ones.

    One storing runs at a time, so that two sources that bring the same article in the same moment make one of it.
    """
    lock_for_transaction("news.store")
    incoming = _incoming(batches)
    known = _known(incoming)
    rescored = _rescore(incoming, known)
    shelf = Shelf.around([one for one in incoming if one.key not in known])
    new = [(one, shelf.place(one)) for one in incoming if one.key not in known]
    articles = Article.objects.bulk_create(shelf.made, batch_size=ROWS_A_STATEMENT)
    ArticleSighting.objects.bulk_create([_sighting(one, article_id) for one, article_id in new], batch_size=ROWS_A_STATEMENT)
    links = ArticleLink.objects.bulk_create(_links(articles, followed or following()), batch_size=ROWS_A_STATEMENT)
    counts = NewsCounts(
        seen=len(incoming),
        stored=len(articles),
        seen_again=len(new) - len(articles),
        known=len(known),
        rescored=rescored,
        links=len(links),
        rejected=sum(len(batch.rejected) for batch in batches),
    )
    if new:
        _tell(counts, articles, now=now, by=by)
    return counts


def _incoming(batches: Iterable[Batch[ArticleRecord]]) -> list[Incoming]:
    """Return what was brought, one of each source's key, the oldest first."""
    found = [
        Incoming(source=batch.source, record=record, received_at=batch.fetched_at)
        for batch in batches
        for record in batch.records
    ]
    by_key = {one.key: one for one in reversed(found)}
    return sorted(by_key.values(), key=lambda one: (one.record.published_at, one.key))


def _known(incoming: Sequence[Incoming]) -> dict[tuple[str, str], str]:
    """Return the ids of articles that were seen under these very keys before."""
    rows = ArticleSighting.objects.filter(
        source__in={one.source for one in incoming}, source_key__in={one.record.key for one in incoming}
    )
    wanted = {one.key for one in incoming}
    found = rows.values_list("source", "source_key", "article_id")
    return {(source, key): article_id for source, key, article_id in found if (source, key) in wanted}


def _rescore(incoming: Sequence[Incoming], known: dict[tuple[str, str], str]) -> int:
    """Write the new scores of known articles, told by the source that they are from; return how many changed."""
    scores = {known[one.key]: one for one in incoming if one.key in known and one.record.score is not None}
    changed = []
    for article in Article.objects.filter(id__in=scores).order_by("id").select_for_update(no_key=True):
        one = scores[article.id]
        if one.key == (article.source, article.source_key) and article.score != one.record.score:
            article.score = one.record.score
            changed.append(article)
    Article.objects.bulk_update(changed, ["score"], batch_size=ROWS_A_STATEMENT)
    return len(changed)


def _sighting(one: Incoming, article_id: str) -> ArticleSighting:
    return ArticleSighting(
        article_id=article_id, source=one.source, source_key=one.record.key, url=one.record.url, seen_at=one.received_at
    )


def _links(articles: Iterable[Article], followed: Following) -> list[ArticleLink]:
    matcher = MarketMatcher(followed.questions)
    links: list[ArticleLink] = []
    for article in articles:
        text = {"title": article.title, "summary": article.summary}
        about = matcher.links(**text)
        listed = instrument_links(followed.listings, **text, symbols=article.symbols)
        links += [ArticleLink(article=article, market_id=f.subject_id, reason=f.reason, strength=f.strength) for f in about]
        links += [ArticleLink(article=article, instrument_id=f.subject_id, reason=f.reason, strength=f.strength) for f in listed]
    return links


def _tell(counts: NewsCounts, articles: Sequence[Article], *, now: datetime, by: str) -> None:
    """Write one audit event for the batch."""
    lines = "\n".join(sorted(article.url_digest for article in articles))
    detail = {
        "stored": counts.stored,
        "seen_again": counts.seen_again,
        "links": counts.links,
        "digest": hashlib.sha256(lines.encode()).hexdigest(),
    }
    audit.record(action="articles.stored", subject="news", by=by, now=now, detail=detail)
