"""X/Twitter's v2 answers as they are on the wire, read strictly; built from recorded answers and the public documents.

Its habits: `data` is a list or one object and is missing when nothing was found; `includes.users` names the authors;
`errors` stand beside `data` when only a part could be given; fields come only when asked for, so a post may lack its
moment, which its id then tells: the bits above the lowest 22 are milliseconds since 4 November 2010.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from apps.sources.errors import REASON_LENGTH, BadAnswer, BadRow
from apps.sources.strict import Row, excerpt_of, parse_json
from apps.sources.types import Rejected

ROWS_MAX = 1_000
ID_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)
ID_TIME_SHIFT = 22
ID_DIGITS_MAX = 19
COUNT_MAX = Decimal(10) ** 12


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAnswer:
    """One answer: raw posts, the names of authors by their ids, and what the vendor could not give."""

    rows: Sequence[object]
    usernames: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePost:
    """One post in the vendor's words."""

    id: str
    text: str
    author_id: str
    language: str
    likes: int | None
    cashtags: tuple[str, ...]
    created_at: datetime


def read_answer(body: bytes) -> WireAnswer:
    """Read the frame of an answer. Raises BadAnswer when it holds neither posts nor the news that there are none."""
    value = parse_json(body)
    try:
        answer = Row(value)
        errors = tuple(_error_of(item) for item in answer.items("errors")) if answer.has("errors") else ()
        rows = _rows(answer, value)
        usernames = _usernames(answer)
    except BadRow as error:
        raise BadAnswer(f"the answer is not believable: {error.reason}", excerpt=excerpt_of(body)) from error
    if errors and not rows:
        raise BadAnswer(f"the vendor reports an error: {errors[0].reason}", excerpt=excerpt_of(body))
    if len(rows) > ROWS_MAX:
        raise BadAnswer(f"more than {ROWS_MAX} posts in an answer", excerpt=excerpt_of(body))
    return WireAnswer(rows=rows, usernames=usernames, errors=errors)


def read_post(value: object) -> WirePost:
    """Read one post. Raises BadRow."""
    row = Row(value)
    key = row.text("id", length_max=ID_DIGITS_MAX)
    return WirePost(
        id=key,
        text=row.text("text", length_max=50_000),
        author_id=row.text_or("author_id", "", length_max=ID_DIGITS_MAX),
        language=row.text_or("lang", "", length_max=10),
        likes=_likes(row),
        cashtags=_cashtags(row),
        created_at=row.moment("created_at") if row.has("created_at") else moment_of_id(key),
    )


def moment_of_id(key: str) -> datetime:
    """Return the moment at which an id was made. Raises BadRow."""
    if not (key.isascii() and key.isdigit()):
        raise BadRow("id is not a number")
    return ID_EPOCH + timedelta(milliseconds=int(key) >> ID_TIME_SHIFT)


def _rows(answer: Row, value: object) -> Sequence[object]:
    if not answer.has("data"):
        if not answer.has("errors"):
            answer.row("meta").number("result_count", low=Decimal(0), high=Decimal(0))
        return ()
    data = value.get("data") if isinstance(value, dict) else None
    return [data] if isinstance(data, dict) else answer.items("data")


def _usernames(answer: Row) -> dict[str, str]:
    """Return the names of authors by their ids; the posts of one who cannot be read stay without a name."""
    if not answer.has("includes") or not answer.row("includes").has("users"):
        return {}
    names: dict[str, str] = {}
    for item in answer.row("includes").items("users"):
        with suppress(BadRow):
            user = Row(item)
            names[user.text("id", length_max=ID_DIGITS_MAX)] = user.text("username", length_max=50)
    return names


def _error_of(value: object) -> Rejected:
    row = Row(value)
    what = row.text_or("title", "error", length_max=1_000)
    detail = row.text_or("detail", row.text_or("message", "", length_max=2_000), length_max=2_000)
    key = row.text_or("resource_id", "", length_max=200)
    return Rejected(reason=f"{what}: {detail}"[:REASON_LENGTH], excerpt=excerpt_of(value), key=key)


def _likes(row: Row) -> int | None:
    if not row.has("public_metrics"):
        return None
    return int(row.row("public_metrics").number("like_count", low=Decimal(0), high=COUNT_MAX))


def _cashtags(row: Row) -> tuple[str, ...]:
    if not row.has("entities") or not row.row("entities").has("cashtags"):
        return ()
    return tuple(Row(item).text("tag", length_max=20) for item in row.row("entities").items("cashtags"))
