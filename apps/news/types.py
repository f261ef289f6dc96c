"""What crosses the threshold of this room: articles, their links, and the counts of a refresh."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

ArticleKind = Literal["news", "post"]
LinkReason = Literal["symbol", "cashtag", "name", "keywords"]
PartState = Literal["answered", "failed", "not asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleView:
    """One article or post. `published_at` is never after `received_at`; `score` is what readers gave it, when counted."""

    id: str
    kind: ArticleKind
    source: str
    url: str
    title: str
    summary: str
    publisher: str
    language: str
    published_at: datetime
    received_at: datetime
    score: int | None
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedArticle:
    """An article with why it is tied to the market or instrument, and how strongly (0 to 1)."""

    article: ArticleView
    reason: LinkReason
    strength: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePart:
    """What one source did for a refresh: how much it brought, or why it brought nothing."""

    source: str
    state: PartState
    brought: int
    reason: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsCounts:
    """What became of what the sources brought.

    `stored` are new articles, `seen_again` those that another source (or the same under another key) showed before,
    `known` came again from the same source under the same key; `rescored` of these have a new score. `links` were made.
    """

    seen: int = 0
    stored: int = 0
    seen_again: int = 0
    known: int = 0
    rescored: int = 0
    links: int = 0
    rejected: int = 0
    parts: tuple[SourcePart, ...] = ()
