"""The windows of news and posts: true answers are read, bent ones refused with a reason, none of them crashes."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import DeskError
from apps.sources.errors import BadAnswer, VendorAway, VendorRefused
from apps.sources.ports import Reply
from apps.sources.vendors.finnhub import news as finnhub
from apps.sources.vendors.google_news import feed as google
from apps.sources.vendors.newsapi import feed as newsapi
from apps.sources.vendors.reddit import feed as reddit
from apps.sources.vendors.twitter import feed as twitter
from apps.sources.vendors.twitter.wire import moment_of_id
from tests.factories.articles import (
    NOW,
    finnhub_item,
    newsapi_article,
    newsapi_page,
    reddit_listing,
    reddit_post,
    rss,
    rss_item,
    tweet,
    tweets,
)

FEEDS = {"newsapi": newsapi, "google_news": google, "reddit": reddit, "twitter": twitter, "finnhub": finnhub}
TRUE = {
    "newsapi": newsapi_page(newsapi_article()),
    "google_news": rss(rss_item()),
    "reddit": reddit_listing(reddit_post()),
    "twitter": tweets(tweet()),
    "finnhub": [finnhub_item()],
}


class Answers:
    """A caller that gives these bodies in turn, the last one for ever; an error is raised."""

    def __init__(self, *bodies, headers=None) -> None:
        self.bodies = list(bodies)
        self.headers = headers or {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def get(self, path, params=(), headers=()):
        self.asked.append((path, dict(params)))
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        if isinstance(body, Exception):
            raise body
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Reply(body=encoded, received_at=NOW, headers=self.headers)

    async def post(self, path, body, *, repeatable=True):
        raise AssertionError("news vendors are never posted to")


def fetch(slug, *bodies, keys=("bitcoin",), headers=None):
    caller = Answers(*bodies, headers=headers)
    return asyncio.run(FEEDS[slug].articles(caller, keys)), caller


def reasons(gathered):
    return [rejected.reason for rejected in gathered.rejected]


@pytest.mark.parametrize("slug", FEEDS)
def test_a_true_answer_is_read(slug):
    gathered, _ = fetch(slug, TRUE[slug])
    assert (len(gathered.records), gathered.rejected, gathered.complete) == (1, (), True)


def test_what_is_read_of_each_vendor():
    (one,) = fetch("google_news", TRUE["google_news"])[0].records
    assert (one.title, one.publisher, one.summary) == ("Bitcoin climbs past $150,000 for the first time", "Reuters", "")
    assert (one.key, one.url) == ("CBMiABC", "https://news.google.com/rss/articles/CBMiABC?oc=5")
    assert one.published_at == NOW - timedelta(minutes=25)
    (one,) = fetch("reddit", TRUE["reddit"])[0].records
    assert (one.kind, one.url) == ("post", "https://www.reddit.com/r/CryptoCurrency/comments/abc123/bitcoin/")
    (one,) = fetch("twitter", TRUE["twitter"])[0].records
    assert (one.url, one.publisher, one.symbols, one.score) == (
        "https://x.com/i/web/status/1799400000000000000",
        "@jane",
        ("BTC",),
        7,
    )
    (one,) = fetch("finnhub", TRUE["finnhub"])[0].records
    assert (one.key, one.symbols, one.publisher) == ("7654321", ("AAPL",), "CNBC")


@pytest.mark.parametrize("slug", FEEDS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><title>Just a moment...</title></html>",
        b"null",
        b"[]x",
        b'"text"',
        b"17",
        b"\xff\xfe{\x00}\x00",
        b'{"a":NaN}',
        b"[[[[[",
    ],
)
def test_a_body_that_is_no_answer_is_refused_whole(slug, body):
    with pytest.raises(BadAnswer):
        fetch(slug, body)


@pytest.mark.parametrize("slug", FEEDS)
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["status", "articles", "totalResults", "data", "children", "kind", "meta", "errors", "includes", "users", "id", "text", "result_count"]),
    inner, max_size=4), max_leaves=12))  # fmt: skip
def test_no_json_whatever_breaks_a_window(slug, value):
    try:
        gathered, _ = fetch(slug, json.dumps(value).encode())
    except DeskError:
        return
    assert gathered.records == ()


@pytest.mark.parametrize(
    ("slug", "answer", "reason"),
    [
        ("newsapi", newsapi_page(newsapi_article(title=None)), "title is missing"),
        ("newsapi", newsapi_page(newsapi_article(title=7)), "title is not a text"),
        ("newsapi", newsapi_page(newsapi_article(url="")), "url is empty"),
        ("newsapi", newsapi_page(newsapi_article(source=None)), "source is missing"),
        ("newsapi", newsapi_page(newsapi_article(publishedAt="yesterday")), "publishedAt is not a moment"),
        ("newsapi", newsapi_page(newsapi_article(publishedAt="2026-06-08T11:00:00")), "publishedAt has no offset from UTC"),
        ("newsapi", newsapi_page(newsapi_article(title="\ud800")), "title holds characters that are not text"),
        ("newsapi", newsapi_page(newsapi_article(title="[Removed]")), "the article was removed by its publisher"),
        ("newsapi", newsapi_page("text"), "the row is not an object"),
        ("google_news", rss(rss_item(guid="")), "guid is missing or empty"),
        ("google_news", rss(rss_item(date="sometime")), "pubDate is not a moment"),
        ("google_news", rss(rss_item(date="Mon, 08 Jun 2026 11:00:00 -0000")), "pubDate has no zone"),
        ("google_news", rss(rss_item(date="Mon, 99 Jun 2026 11:00:00 GMT")), "pubDate is not a moment"),
        ("google_news", rss("<item><title>x</title></item>"), "guid is missing or empty"),
        ("reddit", reddit_listing(reddit_post(selftext="[removed]")), "the post was deleted or removed"),
        ("reddit", reddit_listing(reddit_post(selftext="[deleted]")), "the post was deleted or removed"),
        ("reddit", reddit_listing(reddit_post(removed_by_category="moderator")), "the post was deleted or removed"),
        ("reddit", reddit_listing({"kind": "t1", "data": {"body": "hi"}}), "kind t1 is not a post"),
        ("reddit", reddit_listing(reddit_post(created_utc="now")), "created_utc is not a number"),
        ("reddit", reddit_listing(reddit_post(score=None)), "score is missing"),
        ("twitter", tweets(tweet(text=None)), "text is missing"),
        ("twitter", tweets(tweet(id=7)), "id is not a text"),
        ("twitter", tweets(tweet(id="x", created_at=None)), "id is not a number"),
        ("twitter", tweets(tweet(public_metrics={"like_count": -1})), "like_count is not between 0 and"),
        ("finnhub", [finnhub_item(headline="")], "headline is empty"),
        ("finnhub", [finnhub_item(datetime=0)], "published_at is more than 31 days ago"),
        ("finnhub", [finnhub_item(datetime="1")], "datetime is not whole seconds"),
        ("finnhub", [finnhub_item(id=None)], "id is missing"),
    ],
)
def test_one_bent_row_is_refused_alone(slug, answer, reason):
    gathered, _ = fetch(slug, answer)
    assert gathered.records == ()
    assert [found.startswith(reason) for found in reasons(gathered)] == [True], reasons(gathered)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("rateLimited", VendorAway),
        ("apiKeyInvalid", VendorRefused),
        ("apiKeyExhausted", VendorRefused),
        ("parametersMissing", VendorRefused),
        ("new", BadAnswer),
    ],
)
def test_newsapis_errors_under_200_are_told_apart(code, error):
    with pytest.raises(error):
        fetch("newsapi", {"status": "error", "code": code, "message": "no"})


def page_of(count, total, start=0):
    return newsapi_page(*(newsapi_article(url=f"https://a.example/{start + n}") for n in range(count)), total=total)


def test_newsapi_is_read_page_by_page_up_to_the_limit():
    gathered, caller = fetch("newsapi", page_of(100, 610), page_of(100, 610, 100), page_of(100, 610, 200))
    assert (len(gathered.records), gathered.complete) == (200, True)
    assert [parameters["page"] for _, parameters in caller.asked] == ["1", "2"]
    gathered, caller = fetch("newsapi", page_of(100, 100))
    assert (len(gathered.records), len(caller.asked)) == (100, 1)


@pytest.mark.parametrize(
    "refusal", [{"status": "error", "code": "maximumResultsReached", "message": "100"}, VendorRefused("426"), VendorAway("429")]
)
def test_an_account_that_may_not_page_keeps_the_first_page(refusal):
    gathered, _ = fetch("newsapi", page_of(100, 610), refusal)
    assert (len(gathered.records), gathered.complete) == (100, False)


def test_twitter_may_find_nothing_give_one_or_give_a_part():
    gathered, _ = fetch("twitter", {"meta": {"result_count": 0}})
    assert (gathered.records, gathered.rejected, gathered.complete) == ((), (), True)
    gathered, _ = fetch("twitter", {"data": tweet()})
    assert len(gathered.records) == 1
    error = {"title": "Not Found Error", "detail": "no such post", "resource_id": "12", "type": "about:blank"}
    gathered, _ = fetch("twitter", tweets(tweet(), errors=[error]))
    assert (len(gathered.records), reasons(gathered), gathered.complete) == (1, ["Not Found Error: no such post"], False)
    with pytest.raises(BadAnswer, match="Not Found Error: no such post"):
        fetch("twitter", {"errors": [error]})
    with pytest.raises(BadAnswer, match="meta is missing"):
        fetch("twitter", {})


@pytest.mark.parametrize("author", [None, {"id": 77, "username": "jane"}, {"id": "77"}, {"id": "77", "username": "j" * 51}, []])
def test_an_author_who_cannot_be_read_costs_only_a_name(author):
    gathered, _ = fetch("twitter", tweets(tweet()) | {"includes": {"users": [author]}})
    assert [record.publisher for record in gathered.records] == [""]
    gathered, _ = fetch("twitter", tweets(tweet()) | {"includes": {"users": [author, {"id": "77", "username": "jane"}]}})
    assert [record.publisher for record in gathered.records] == ["@jane"]


def test_an_id_tells_its_moment():
    assert moment_of_id("1460323737035677698").replace(microsecond=0) == datetime(2021, 11, 15, 19, 8, 5, tzinfo=UTC)


@pytest.mark.parametrize(("slug", "header"), [("reddit", "x-ratelimit-remaining"), ("twitter", "x-rate-limit-remaining")])
def test_when_the_vendor_says_that_no_call_is_left_no_further_one_is_made(slug, header):
    keys = [f"{letter * 300}" for letter in "abc"]  # too long to be asked for together
    gathered, caller = fetch(slug, TRUE[slug], keys=keys, headers={header: "0"})
    assert (len(caller.asked), gathered.complete) == (1, False)
    gathered, caller = fetch(slug, TRUE[slug], keys=keys, headers={header: "5"})
    assert (len(caller.asked) > 1, gathered.complete) == (True, True)


def test_finnhub_asks_for_shares_only_after_the_general_news():
    _, caller = fetch("finnhub", [finnhub_item()], keys=("^GSPC", "AAPL", "CL=F", "BRK.B", "AAPL", "bitcoin"))
    assert [path for path, _ in caller.asked] == ["/api/v1/news", "/api/v1/company-news", "/api/v1/company-news"]
    assert caller.asked[1][1] == {"symbol": "AAPL", "from": "2026-06-01", "to": "2026-06-08"}
    assert caller.asked[2][1]["symbol"] == "BRK.B"


def test_a_feed_that_is_not_one_is_refused():
    for body in (b"<html><body>x</body></html>", b"<rss></rss>", b"<feed/>"):
        with pytest.raises(BadAnswer, match="not a feed"):
            fetch("google_news", body)
