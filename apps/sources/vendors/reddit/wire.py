"""Reddit's listings as they are on the wire, read strictly; built from recorded answers.

Its habits: everything is `{"kind", "data"}`, `t3` is a post and `t1` a comment; a page of comments is a list of two
listings; what was deleted stays with "[deleted]" or "[removed]" in place of its text, newer answers name the reason in
`removed_by_category`; moments are floats of whole seconds; scores are blurred by the vendor and may be negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.strict import Row, excerpt_of, moment_of_seconds, parse_json

POST = "t3"
GONE = frozenset({"[deleted]", "[removed]"})
LISTINGS_MAX, ROWS_MAX = 2, 2_048
SCORE_MAX = Decimal(10) ** 9


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePost:
    """One post in the vendor's words."""

    name: str
    permalink: str
    title: str
    text: str
    subreddit: str
    score: int
    created_at: datetime


def read_listing(body: bytes) -> list[object]:
    """Read a listing's raw children, or those of both listings of a page of comments. Raises BadAnswer."""
    value = parse_json(body)
    listings = value if isinstance(value, list) else [value]
    try:
        rows = [row for listing in listings[:LISTINGS_MAX] for row in _children(Row(listing))]
    except BadRow as error:
        raise BadAnswer(f"the listing is not believable: {error.reason}", excerpt=excerpt_of(body)) from error
    if len(rows) > ROWS_MAX or len(listings) > LISTINGS_MAX:
        raise BadAnswer(f"more than {LISTINGS_MAX} listings or {ROWS_MAX} rows", excerpt=excerpt_of(body))
    return rows


def read_post(value: object) -> WirePost:
    """Read one post. Raises BadRow, also for comments and for posts that were taken down."""
    thing = Row(value)
    kind = thing.text("kind", length_max=20)
    if kind != POST:
        raise BadRow(f"kind {kind} is not a post")
    post = thing.row("data")
    text = post.text_or("selftext", "", length_max=100_000)
    if text in GONE or post.has("removed_by_category"):
        raise BadRow("the post was deleted or removed")
    return WirePost(
        name=post.text("name", length_max=20),
        permalink=post.text("permalink", length_max=1_000),
        title=post.text("title", length_max=5_000),
        text=text,
        subreddit=post.text("subreddit", length_max=100),
        score=int(post.number("score", low=-SCORE_MAX, high=SCORE_MAX)),
        created_at=_moment(post),
    )


def _children(listing: Row) -> list[object]:
    if listing.text("kind", length_max=20) != "Listing":
        raise BadRow("kind is not Listing")
    return list(listing.row("data").items("children"))


def _moment(post: Row) -> datetime:
    """Return the moment of a post, which the vendor writes as a float of whole seconds."""
    return moment_of_seconds(int(post.number("created_utc", low=Decimal(0))), "created_utc")
