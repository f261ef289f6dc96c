"""Recorded answers of the news vendors: every row is read or refused with a reason, and the counts are these.

The recordings are years old, so each answer is read as at the time of its recording.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.news.linking import MarketMatcher, Question
from apps.sources.errors import BadAnswer, VendorRefused
from apps.sources.ports import Reply
from apps.sources.vendors.newsapi import feed as newsapi
from apps.sources.vendors.reddit import feed as reddit
from apps.sources.vendors.twitter import feed as twitter
from apps.sources.vendors.twitter.wire import moment_of_id

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the recordings are not part of the repository")


def records_of(name):
    with gzip.open(DATA / name) as lines:
        return [json.loads(line) for line in lines]


def newest_in(body: bytes) -> datetime:
    moments = [article["publishedAt"] for article in json.loads(body)["articles"]]
    return datetime.fromisoformat(max(moments)).astimezone(UTC)


class Recorded:
    """A caller that answers with one recorded body, whatever is asked."""

    def __init__(self, body: bytes, at: datetime) -> None:
        self.reply = Reply(body=body, received_at=at)

    async def get(self, path, params=(), headers=()):
        return self.reply

    async def post(self, path, body, *, repeatable=True):
        raise AssertionError("news vendors are never posted to")


@pytest.mark.parametrize("name", ["newsapi_response_p1", "newsapi_response_p2", "newsapi_response_2023"])
def test_every_article_of_newsapi_is_read(name, monkeypatch):
    monkeypatch.setattr(newsapi, "PAGES_MAX", 1)
    body = (DATA / "newsapi_wire" / f"{name}.json").read_bytes()
    caller = Recorded(body, newest_in(body))
    gathered = asyncio.run(newsapi.articles(caller, ["anything"]))
    assert (len(gathered.records), gathered.rejected, gathered.complete) == (100, (), True)
    assert all(record.title and record.publisher and "<" not in record.title for record in gathered.records)


def test_the_error_of_newsapi_is_a_refusal_with_its_own_words():
    body = (DATA / "newsapi_wire" / "error_response.json").read_bytes()
    with pytest.raises(VendorRefused, match=r"maximumResultsReached.*limited to a max of 100 results"):
        asyncio.run(newsapi.articles(Recorded(body, datetime(2023, 7, 22, tzinfo=UTC)), ["anything"]))


def test_every_listing_of_reddit_is_read_or_refused_with_a_reason():
    records = records_of("reddit_wire/listings_recorded.jsonl.gz")
    outcomes: Counter[str] = Counter()
    for record in records:
        at = datetime.fromisoformat(record["recorded_at"]).replace(tzinfo=UTC)
        gathered = reddit.gathered_of(record["body"].encode(), received_at=at)
        outcomes["read"] += len(gathered.records)
        outcomes.update(rejected.reason for rejected in gathered.rejected)
    assert len(records) == 40
    # The posts are old ones that were answered to: all 137 can be read, and the gate for news refuses 117 of them.
    assert outcomes == {
        "read": 20,
        "published_at is more than 31 days ago": 117,
        "kind t1 is not a post": 642,
        "kind more is not a post": 6,
    }


def test_every_answer_of_twitter_is_read_or_refused_with_a_reason():
    records = records_of("twitter_wire/v2_recorded.jsonl.gz")
    outcomes: Counter[str] = Counter()
    for record in records:
        body = record["body"].encode()
        try:
            gathered = twitter.gathered_of(body, received_at=newest_post(body))
        except BadAnswer as error:
            outcomes[f"whole answer: {error.reason}"] += 1
            continue
        outcomes["read"] += len(gathered.records)
        outcomes.update(rejected.reason for rejected in gathered.rejected)
    assert len(records) == 54
    # Users, lists and spaces have no text, counts have no id: they are refused row by row, the posts among them are read.
    assert outcomes == {
        "read": 472,
        "published_at is more than 31 days ago": 190,
        "text is missing": 1214,
        "id is missing": 1811,
    }


def newest_post(body: bytes) -> datetime:
    data = json.loads(body)["data"]
    rows = data if isinstance(data, list) else [data]
    return max((moment_of_id(row["id"]) for row in rows if "text" in row), default=datetime(2023, 1, 1, tzinfo=UTC))


def test_few_articles_are_tied_to_questions_that_were_asked_years_later():
    """Links between articles of July 2023 and questions of 2025 are nearly all wrong ones: there must be few."""
    with gzip.open(DATA / "forecastbench" / "flat_joined_dev.csv.gz", "rt", encoding="utf-8", newline="") as file:
        texts = list(dict.fromkeys(row["question"] for row in csv.DictReader(file)))
    matcher = MarketMatcher([Question(str(number), text) for number, text in enumerate(texts)])
    articles: dict[str, tuple[str, str]] = {}
    for name in ("newsapi_response_p1", "newsapi_response_p2", "newsapi_response_2023"):
        rows = json.loads((DATA / "newsapi_wire" / f"{name}.json").read_bytes())["articles"]
        articles |= {row["url"]: (row["title"], row["description"]) for row in rows}
    links = [link for title, summary in articles.values() for link in matcher.links(title=title, summary=summary)]
    assert (len(texts), len(articles), len(links)) == (3295, 215, 15)
