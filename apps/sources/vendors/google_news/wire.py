"""Google News' feed as it is on the wire, read strictly.

No recording was at hand: built from public descriptions of the feed (RSS 2.0, http://www.rssboard.org/rss-specification).
Its habits: `link` leads to a redirect of the vendor's, not to the publisher; `guid` is the redirect's opaque key; the
publisher stands behind a dash at the end of the title and again in `source`; `description` is a link in HTML with the
title once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import Element

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.strict import excerpt_of
from apps.sources.strict_xml import parse_xml

ITEMS_MAX = 500
LENGTHS = {"title": 5_000, "link": 4_000, "guid": 4_000, "pubDate": 64, "description": 50_000, "source": 1_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class WireItem:
    """One item of the feed in the vendor's words."""

    guid: str
    link: str
    title: str
    description: str
    source: str
    published_at: datetime


def read_items(body: bytes) -> tuple[dict[str, object], ...]:
    """Read the feed's raw items: one mapping of texts each. Raises BadAnswer when it is not a feed."""
    root = parse_xml(body)
    channel = root.find("channel")
    if root.tag != "rss" or channel is None:
        raise BadAnswer("the body is XML but not a feed", excerpt=excerpt_of(body))
    items = channel.findall("item")
    if len(items) > ITEMS_MAX:
        raise BadAnswer(f"more than {ITEMS_MAX} items in a feed", excerpt=excerpt_of(body))
    return tuple(_raw(item) for item in items)


def read_item(value: object) -> WireItem:
    """Read one raw item. Raises BadRow."""
    item = value if isinstance(value, dict) else {}
    return WireItem(
        guid=_text(item, "guid"),
        link=_text(item, "link"),
        title=_text(item, "title"),
        description=_text(item, "description", is_needed=False),
        source=_text(item, "source", is_needed=False),
        published_at=_moment(_text(item, "pubDate")),
    )


def _raw(item: Element) -> dict[str, object]:
    return {name: found for name in LENGTHS if (found := item.findtext(name)) is not None}


def _text(item: dict[str, object], name: str, *, is_needed: bool = True) -> str:
    text = str(item.get(name, "")).strip()
    if is_needed and not text:
        raise BadRow(f"{name} is missing or empty")
    if len(text) > LENGTHS[name]:
        raise BadRow(f"{name} is longer than {LENGTHS[name]}")
    return text


def _moment(text: str) -> datetime:
    """Return the moment of an RFC 822 date; one without a zone is refused rather than guessed. Raises BadRow."""
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            raise BadRow("pubDate has no zone")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        raise BadRow("pubDate is not a moment") from None
