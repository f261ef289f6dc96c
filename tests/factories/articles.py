"""Small true-to-form answers of the news vendors and the analyst, for tests to bend."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape

NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def newsapi_article(**changes: Any) -> dict[str, Any]:
    """Return one article as NewsAPI writes it."""
    article = {
        "source": {"id": None, "name": "Reuters"},
        "author": "Jane Doe",
        "title": "Bitcoin climbs past $150,000 for the first time",
        "description": "The coin has doubled in a year.",
        "url": "https://www.reuters.com/markets/bitcoin-150000?utm_source=newsapi",
        "urlToImage": None,
        "publishedAt": iso(NOW - timedelta(minutes=30)),
        "content": "The coin… [+900 chars]",
    }
    return article | changes


def newsapi_page(*articles: Any, total: int | None = None) -> dict[str, Any]:
    """Return a page of NewsAPI."""
    return {"status": "ok", "totalResults": len(articles) if total is None else total, "articles": list(articles)}


def rss_item(
    title: str = "Bitcoin climbs past $150,000 for the first time",
    source: str = "Reuters",
    guid: str = "CBMiABC",
    at: datetime = NOW - timedelta(minutes=25),
    date: str = "",
) -> str:
    """Return one item as Google News writes it."""
    link = f"https://news.google.com/rss/articles/{guid}?oc=5"
    html = f'<a href="{link}" target="_blank">{title}</a>&nbsp;&nbsp;<font color="#6f6f6f">{source}</font>'
    return (
        f"<item><title>{escape(f'{title} - {source}')}</title><link>{escape(link)}</link>"
        f'<guid isPermaLink="false">{guid}</guid><pubDate>{date or format_datetime(at, usegmt=True)}</pubDate>'
        f'<description>{escape(html)}</description><source url="https://www.reuters.com">{escape(source)}</source></item>'
    )


def rss(*items: str) -> bytes:
    """Return a feed of Google News."""
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><rss version="2.0"><channel><title>search</title>'
    return f"{head}{''.join(items)}</channel></rss>".encode()


def reddit_post(**changes: Any) -> dict[str, Any]:
    """Return one post as Reddit writes it."""
    data = {
        "name": "t3_abc123",
        "permalink": "/r/CryptoCurrency/comments/abc123/bitcoin/",
        "title": "Bitcoin above $150,000, what now?",
        "selftext": "Discuss.",
        "subreddit": "CryptoCurrency",
        "score": 42,
        "created_utc": (NOW - timedelta(hours=2)).timestamp(),
        "removed_by_category": None,
    }
    return {"kind": "t3", "data": data | changes}


def reddit_listing(*posts: dict[str, Any]) -> dict[str, Any]:
    """Return a listing of Reddit."""
    return {"kind": "Listing", "data": {"children": list(posts), "after": None}}


def tweet(**changes: Any) -> dict[str, Any]:
    """Return one post as X/Twitter writes it."""
    post = {
        "id": "1799400000000000000",
        "text": "Bitcoin above $150,000! $BTC",
        "author_id": "77",
        "lang": "en",
        "created_at": f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.000Z",
        "public_metrics": {"like_count": 7, "retweet_count": 1, "reply_count": 0, "quote_count": 0},
        "entities": {"cashtags": [{"start": 24, "end": 28, "tag": "btc"}]},
    }
    return post | changes


def tweets(*posts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return an answer of X/Twitter."""
    users = {"users": [{"id": "77", "name": "Jane", "username": "jane"}]}
    return {"data": list(posts), "includes": users, "meta": {"result_count": len(posts)}} | more


def finnhub_item(**changes: Any) -> dict[str, Any]:
    """Return one piece of news as Finnhub writes it."""
    item = {
        "category": "top news",
        "datetime": int((NOW - timedelta(minutes=20)).timestamp()),
        "headline": "Apple unveils new chips",
        "id": 7_654_321,
        "image": "",
        "related": "AAPL",
        "source": "CNBC",
        "summary": "The company showed them on Monday.",
        "url": "https://www.cnbc.com/2026/06/08/apple-chips.html",
    }
    return item | changes


def completion(content: Any = None, **changes: Any) -> dict[str, Any]:
    """Return a chat completion; `content` is written as JSON inside a text unless it is one already."""
    told = {"analysis": "Momentum is strong.", "probability": 0.62} if content is None else content
    message = {"role": "assistant", "content": told if isinstance(told, str) else json.dumps(told), "refusal": None}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 100, "total_tokens": 600},
    }
    return answer | changes
