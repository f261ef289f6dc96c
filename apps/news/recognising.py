"""Recognising an article that another source, or another address, has shown before.

The same canonical address is the same article. News (posts are not compared: people do say the same things) is also the
same as one that is known

* when both were published within SAME_NEWS_WITHIN and the titles are near-same,
* or within SYNDICATED_WITHIN and the titles are equal and long: agencies' reports run in many papers over a day.

Of 300 recorded articles about one topic these rules merge only true doubles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from apps.news.canonical import digest_of
from apps.news.models import Article
from apps.news.similarity import is_same_news, words_of

if TYPE_CHECKING:
    from apps.sources.types import ArticleRecord

SAME_NEWS_WITHIN = timedelta(hours=1)
SYNDICATED_WITHIN = timedelta(hours=24)
LONG_TITLE_WORDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One article as a source brought it."""

    source: str
    record: ArticleRecord
    received_at: datetime

    @property
    def key(self) -> tuple[str, str]:
        """What the source knows it by."""
        return self.source, self.record.key


@dataclass(frozen=True, slots=True)
class _Title:
    """A title that is on the shelf."""

    article_id: str
    published_at: datetime
    words: frozenset[str]


class Shelf:
    """The articles that newcomers may be the same as; those that are not are put beside them. `made` are not stored yet."""

    def __init__(self) -> None:
        self.made: list[Article] = []
        self._by_address: dict[str, str] = {}
        self._by_hour: dict[datetime, list[_Title]] = defaultdict(list)
        self._by_words: dict[frozenset[str], list[_Title]] = defaultdict(list)

    @classmethod
    def around(cls, incoming: Sequence[Incoming]) -> Shelf:
        """Return a shelf with all stored articles that these may be the same as."""
        shelf = cls()
        digests = [digest_of(one.record.url) for one in incoming]
        shelf._by_address = dict(Article.objects.filter(url_digest__in=digests).values_list("url_digest", "id"))
        for since, until in _spans([one.record.published_at for one in incoming if one.record.kind == "news"]):
            rows = Article.objects.filter(kind="news", published_at__gte=since, published_at__lte=until)
            for article_id, published_at, title in rows.values_list("id", "published_at", "title"):
                shelf._put(article_id, published_at, title)
        return shelf

    def place(self, one: Incoming) -> str:
        """Return the id of the article that this is, made anew when no other is the same."""
        digest = digest_of(one.record.url)
        article_id = self._by_address.get(digest) or self._by_title(one.record) or self._make(one, digest)
        self._by_address[digest] = article_id
        return article_id

    def _by_title(self, record: ArticleRecord) -> str | None:
        if record.kind != "news":
            return None
        words, at = words_of(record.title), record.published_at
        equal = self._by_words.get(words, ()) if len(words) >= LONG_TITLE_WORDS else ()
        syndicated = (title for title in equal if abs(title.published_at - at) <= SYNDICATED_WITHIN)
        near = (
            title
            for hour in _hours_around(at)
            for title in self._by_hour.get(hour, ())
            if abs(title.published_at - at) <= SAME_NEWS_WITHIN and is_same_news(words, title.words)
        )
        return next((title.article_id for title in chain(syndicated, near)), None)

    def _make(self, one: Incoming, digest: str) -> str:
        record = one.record
        article = Article(
            kind=record.kind,
            source=one.source,
            source_key=record.key,
            url=record.url,
            url_digest=digest,
            title=record.title,
            summary=record.summary,
            publisher=record.publisher,
            language=record.language,
            published_at=record.published_at,
            received_at=one.received_at,
            score=record.score,
            symbols=list(record.symbols),
        )
        self.made.append(article)
        if record.kind == "news":
            self._put(article.id, record.published_at, record.title)
        return article.id

    def _put(self, article_id: str, published_at: datetime, title: str) -> None:
        entry = _Title(article_id, published_at, words_of(title))
        self._by_hour[_hour_of(published_at)].append(entry)
        self._by_words[entry.words].append(entry)


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _hours_around(moment: datetime) -> tuple[datetime, ...]:
    hour = _hour_of(moment)
    return (hour - SAME_NEWS_WITHIN, hour, hour + SAME_NEWS_WITHIN)


def _spans(moments: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """Return the stretches of time that cover every moment and what may be the same around it, joined where they touch."""
    spans: list[tuple[datetime, datetime]] = []
    for moment in sorted(moments):
        since, until = moment - SYNDICATED_WITHIN, moment + SYNDICATED_WITHIN
        if spans and since <= spans[-1][1]:
            spans[-1] = (spans[-1][0], until)
        else:
            spans.append((since, until))
    return spans
