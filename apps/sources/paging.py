"""Walking through the pages of a list so that it always ends; knows no vendor.

Vendors cap pages in silence, ignore a cursor that they do not like and send the first page again, or give a cursor
with an empty page. None of it may loop, and what was read until then is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from apps.core.errors import DeskError, Transient
from apps.sources.errors import BadAnswer
from apps.sources.gathering import lost
from apps.sources.ports import Gathered
from apps.sources.types import MarketRecord, Rejected

T = TypeVar("T")
Page = tuple[Gathered[MarketRecord], str]  # what one page gave, and the cursor of the following one ("" at the end)


async def walk(ask: Callable[[str], Awaitable[Page]], *, pages_max: int) -> Gathered[MarketRecord]:
    """Ask page after page, from the cursor "" on, and return every market once, as it was seen last.

    The list is incomplete when a cursor comes again, a page with a following one brings nothing new, or a later page
    cannot be had or believed. What the first page raises is raised. After `pages_max` pages the list is cut.
    """
    records: dict[str, MarketRecord] = {}
    rejected: dict[tuple[str, str], Rejected] = {}
    cursor, seen, is_complete = "", {""}, True
    for _ in range(pages_max):
        part, following = await _page(ask, cursor)
        brought = _add(records, rejected, part)
        is_complete = is_complete and part.complete
        if not following or not part.complete:
            break
        if following in seen or not brought:
            is_complete = False
            break
        seen.add(following)
        cursor = following
    return Gathered(records=tuple(records.values()), rejected=tuple(rejected.values()), complete=is_complete)


async def _page(ask: Callable[[str], Awaitable[Page]], cursor: str) -> Page:
    """Ask for one page; when a later one than the first fails, the list ends there, incomplete."""
    try:
        return await ask(cursor)
    except Transient as error:
        if not cursor:
            raise
        return missing(error), ""


def missing(error: DeskError) -> Gathered[T]:
    """Return what is left of a part of a list that could not be had or believed: nothing, and the list is incomplete."""
    return lost(error) if isinstance(error, BadAnswer) else Gathered(complete=False)


def _add(records: dict[str, MarketRecord], rejected: dict[tuple[str, str], Rejected], part: Gathered[MarketRecord]) -> int:
    """Add a page's rows and return how many of them are new."""
    known = len(records) + len(rejected)
    records.update((record.key, record) for record in part.records)
    rejected.update(((row.key or row.excerpt, row.reason), row) for row in part.rejected)
    return len(records) + len(rejected) - known
