"""Searching a vendor for words: many wishes in few questions, and what came is kept when a later question fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from apps.sources.errors import BadAnswer, NotAtVendor, VendorAway, VendorRefused
from apps.sources.gathering import lost
from apps.sources.ports import Gathered

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """What one question gave; `may_ask_more` is False when the vendor's own headers say that its quota is used up."""

    gathered: Gathered[T]
    may_ask_more: bool = True


def joined(wishes: Iterable[str], *, length_max: int, searches_max: int) -> tuple[str, ...]:
    """Return at most `searches_max` searches for as many wishes as fit, none longer than `length_max` characters.

    Each wish becomes a quoted phrase, phrases are joined by OR: `"crude oil" OR "S&P 500"`. A wish that is too long by
    itself is left out, as is a double.
    """
    searches: list[str] = []
    for phrase in dict.fromkeys(_phrase(wish) for wish in wishes):
        longer = f"{searches[-1]} OR {phrase}" if searches else phrase
        if not phrase or len(phrase) > length_max:
            continue
        if searches and len(longer) <= length_max:
            searches[-1] = longer
        elif len(searches) < searches_max:
            searches.append(phrase)
    return tuple(searches)


async def search_each(searches: Iterable[str], ask: Callable[[str], Awaitable[Found[T]]]) -> Gathered[T]:
    """Ask one question after the other. Raises what the first raises; when a later one fails the rest is marked incomplete."""
    gathered: Gathered[T] = Gathered()
    left = list(searches)
    while left:
        try:
            found = await ask(left.pop(0))
        except BadAnswer as error:
            gathered = _kept(gathered, error).plus(lost(error))
            continue
        except (VendorAway, VendorRefused, NotAtVendor) as error:
            return replace(_kept(gathered, error), complete=False)
        gathered = gathered.plus(found.gathered)
        if not found.may_ask_more:
            return replace(gathered, complete=gathered.complete and not left)
    return gathered


def has_calls_left(headers: Mapping[str, str], name: str) -> bool:
    """Return whether the header `name` leaves at least one call; a missing or unreadable one says nothing against it."""
    try:
        return float(headers.get(name, "1")) >= 1
    except ValueError:
        return True


def _kept(gathered: Gathered[T], error: Exception) -> Gathered[T]:
    """Return what came before the failure. Raises the failure when nothing did."""
    if not gathered.records and not gathered.rejected:
        raise error
    return gathered


def _phrase(wish: str) -> str:
    words = " ".join(wish.replace('"', " ").split())
    return f'"{words}"' if words else ""
