"""Which articles and posts are believed. Pure; every refusal is a BadRow that says why.

* A title that is empty once markup is gone is refused: there is nothing to show or to compare.
* `published_at` more than AHEAD_MAX after the answer came is refused; within it the vendor's clock is taken to run ahead, and the
  moment is capped at that of the answer, so that nothing stored was published in the future.
* Older than AGE_MAX is refused: the desk asks for news, and what is older was not asked for.
* The address must be a http(s) one with a host and of a sane length; scripts and files are not links.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from apps.sources.errors import BadRow
from apps.sources.plain_text import plain
from apps.sources.types import (
    LANGUAGE_LENGTH,
    PUBLISHER_LENGTH,
    SUMMARY_LENGTH,
    TITLE_LENGTH,
    URL_LENGTH,
    ArticleKind,
    ArticleRecord,
)

AHEAD_MAX = timedelta(minutes=10)
AGE_MAX = timedelta(days=31)
SYMBOLS_MAX, SYMBOL_LENGTH = 20, 20
KEY_LENGTH = 120
SCORE_MAX = 2**31 - 1


def believed(
    *,
    key: str,
    kind: ArticleKind,
    url: str,
    title: str,
    summary: str,
    publisher: str,
    language: str,
    published_at: datetime,
    received_at: datetime,
    symbols: Iterable[str] = (),
    score: int | None = None,
) -> ArticleRecord:
    """Return the record with its texts made plain and cut; a key that is too long becomes its digest. Raises BadRow."""
    shown = plain(title, TITLE_LENGTH)
    if not shown:
        raise BadRow("title is empty")
    return ArticleRecord(
        key=key if len(key) <= KEY_LENGTH else hashlib.sha256(key.encode()).hexdigest(),
        kind=kind,
        url=_link(url),
        title=shown,
        summary=plain(summary, SUMMARY_LENGTH),
        publisher=plain(publisher, PUBLISHER_LENGTH),
        language=language.lower()[:LANGUAGE_LENGTH],
        published_at=_moment(published_at, received_at),
        symbols=_symbols(symbols),
        score=None if score is None else max(-SCORE_MAX, min(score, SCORE_MAX)),
    )


def _moment(published_at: datetime, received_at: datetime) -> datetime:
    if published_at > received_at + AHEAD_MAX:
        raise BadRow("published_at is in the future")
    if published_at < received_at - AGE_MAX:
        raise BadRow(f"published_at is more than {AGE_MAX.days} days ago")
    return min(published_at, received_at)


def _link(url: str) -> str:
    text = url.strip()
    if len(text) > URL_LENGTH:
        raise BadRow(f"url is longer than {URL_LENGTH}")
    try:
        parts = urlsplit(text)
        is_link = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_link = False
    if not is_link or not text.isprintable() or " " in text:
        raise BadRow("url is not a link")
    return text


def _symbols(symbols: Iterable[str]) -> tuple[str, ...]:
    """Return the symbols in upper case without doubles, the first SYMBOLS_MAX of a sane length."""
    clean = (symbol.strip().upper() for symbol in symbols)
    return tuple(dict.fromkeys(symbol for symbol in clean if 0 < len(symbol) <= SYMBOL_LENGTH))[:SYMBOLS_MAX]
