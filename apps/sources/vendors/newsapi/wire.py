"""NewsAPI's answers as they are on the wire, read strictly; built from recorded answers and the public documents.

Its habits: errors are `{"status": "error", "code", "message"}`; `totalResults` counts beyond what an account may page
to; articles taken down by their publisher stay in the list with "[Removed]" in place of their texts; most sources have
no id; texts may hold line breaks and markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadAnswer, BadRow, VendorAway, VendorRefused
from apps.sources.strict import Row, excerpt_of, parse_json

REMOVED = "[Removed]"
ROWS_MAX = 100
# https://newsapi.org/docs/errors: what passes by waiting, and what only an operator can change.
PASSING = frozenset({"rateLimited", "unexpectedError"})
LASTING = frozenset(
    {"apiKeyDisabled", "apiKeyExhausted", "apiKeyInvalid", "apiKeyMissing", "maximumResultsReached"}
    | {"parameterInvalid", "parametersMissing", "sourcesTooMany", "sourceDoesNotExist"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePage:
    """One page: the vendor's count of all that there is, and this page's raw articles."""

    total: int
    rows: Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class WireArticle:
    """One article in the vendor's words."""

    url: str
    title: str
    description: str
    source_name: str
    published_at: datetime


def read_page(body: bytes) -> WirePage:
    """Read one page. Raises VendorAway or VendorRefused for the vendor's own errors, BadAnswer for what is neither."""
    value = parse_json(body)
    try:
        answer = Row(value)
        if answer.text("status", length_max=20) != "ok":
            raise _error_of(answer, body)
        total = int(answer.number("totalResults", low=Decimal(0)))
        rows = answer.items("articles")
    except BadRow as error:
        raise BadAnswer(f"the page is not believable: {error.reason}", excerpt=excerpt_of(body)) from error
    if len(rows) > ROWS_MAX:
        raise BadAnswer(f"more than {ROWS_MAX} articles on a page", excerpt=excerpt_of(body))
    return WirePage(total=total, rows=rows)


def read_article(value: object) -> WireArticle:
    """Read one article. Raises BadRow, also for one that its publisher took down."""
    row = Row(value)
    title = row.text("title", length_max=5_000)
    if title.strip() == REMOVED:
        raise BadRow("the article was removed by its publisher")
    return WireArticle(
        url=row.text("url", length_max=4_000),
        title=title,
        description=row.text_or("description", "", length_max=50_000),
        source_name=row.row("source").text_or("name", "", length_max=1_000),
        published_at=row.moment("publishedAt"),
    )


def _error_of(answer: Row, body: bytes) -> Exception:
    code = answer.text_or("code", "", length_max=60)
    said = f"{code}: {answer.text_or('message', '', length_max=1_000)[:200]}"
    if code in PASSING:
        return VendorAway(f"newsapi asks us to come later, {said}")
    if code in LASTING:
        return VendorRefused(f"newsapi refuses the question, {said}")
    return BadAnswer("the vendor reports an error that it does not document", excerpt=excerpt_of(body))
