"""One article for each piece of news, with recorded answers and in a race."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db import connection, transaction

from apps.core.db import lock_for_transaction
from apps.news.models import Article, ArticleSighting
from apps.news.services import store_articles
from apps.sources.gates.articles import believed
from apps.sources.gathering import gather
from apps.sources.types import ArticleRecord, Batch
from apps.sources.vendors.newsapi.feed import as_record
from tests.factories.articles import NOW

ROOT = Path(__file__).resolve().parent.parent.parent.parent
RECORDINGS = ROOT.parent / "shared" / "data" / "newsapi_wire"
pytestmark = pytest.mark.django_db


def article(number, title, minutes=0, kind="news"):
    return believed(
        key=str(number),
        kind=kind,
        url=f"https://a.example/{number}",
        title=title,
        summary="",
        publisher="",
        language="en",
        published_at=NOW - timedelta(days=2) + timedelta(minutes=minutes),
        received_at=NOW,
    )


def store(*records, source="newsapi"):
    batch = Batch(source=source, operation="articles", records=records, fetched_at=NOW)
    return store_articles(batches=[batch], now=NOW, by="test")


LONG = "Seven companies agree to safeguards in the US"


@pytest.mark.parametrize(
    ("one", "other", "minutes", "articles"),
    [
        (LONG, f"{LONG} - Reuters", 0, 1),
        (LONG, "Seven companies agree to safeguards in US", 59, 1),
        (LONG, "Seven companies agree to safeguards in US", 61, 2),
        (LONG, LONG, 24 * 60, 1),
        (LONG, LONG, 24 * 60 + 1, 2),
        ("Stocks rise on Monday", "Stocks rise on Monday", 60, 1),
        ("Stocks rise on Monday", "Stocks rise on Monday", 61, 2),
        ("Oil falls below 60 dollars a barrel", "Oil falls below 61 dollars a barrel", 5, 2),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_titles_are_the_same_news_within_their_time(one, other, minutes, articles, together):
    first, second = article(1, one), article(2, other, minutes)
    counts = [store(first, second)] if together else [store(first), store(second)]
    assert sum(count.stored for count in counts) == Article.objects.count() == articles
    assert sum(count.seen_again for count in counts) == 2 - articles
    assert ArticleSighting.objects.count() == 2


def test_the_earlier_of_two_that_come_together_is_the_article():
    store(article(1, LONG, 10), article(2, LONG, 5))
    assert Article.objects.get().source_key == "2"


def test_posts_with_the_same_words_are_not_the_same():
    assert store(article(1, LONG, kind="post"), article(2, LONG, kind="post")).stored == 2


def test_a_post_is_never_taken_for_the_news_that_it_quotes():
    assert store(article(1, LONG), article(2, LONG, kind="post")).stored == 2


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the recordings are not part of the repository")
def test_three_hundred_recorded_articles_become_these_many():
    records: list[ArticleRecord] = []
    for name in ("newsapi_response_p1", "newsapi_response_p2", "newsapi_response_2023"):
        rows = json.loads((RECORDINGS / f"{name}.json").read_bytes())["articles"]
        at = max(datetime.fromisoformat(row["publishedAt"]) for row in rows).astimezone(UTC)
        records += gather(rows, partial(as_record, received_at=at), key="url").records
    counts = store(*records)
    assert len(records) == 300
    # 85 articles stand in two of the recordings under one address; the rest are reports that ran in several papers.
    assert (counts.seen, counts.stored, counts.seen_again) == (215, 203, 12)


@pytest.mark.django_db(transaction=True)
def test_two_that_store_the_same_news_at_once_make_one_article_of_it():
    counts = []

    def other_process():
        counts.append(store(article(2, LONG), source="google_news"))
        connection.close()

    other = threading.Thread(target=other_process)
    with transaction.atomic():
        lock_for_transaction("news.store")
        store(article(1, LONG))
        other.start()
        other.join(0.5)
        assert (other.is_alive(), counts) == (True, [])
    other.join(20)
    assert (counts[0].stored, counts[0].seen_again, Article.objects.count()) == (0, 1, 1)
