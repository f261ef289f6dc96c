"""What becomes of each book of a fetch: stored, only confirmed, or refused; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from apps.markets.prices import fault_of_book, is_placeholder

if TYPE_CHECKING:
    from decimal import Decimal

    from apps.markets.types import Price
    from apps.sources.types import BookRecord, Level

Fate = Literal["new", "unchanged", "older", "invalid", "unknown"]

VENDOR_AHEAD_MAX = timedelta(seconds=10)  # how far a vendor's clock may run ahead of ours


@dataclass(frozen=True, slots=True)
class Sorted:
    """The books of one fetch by fate; `new` and `unchanged` by outcome id."""

    new: dict[str, BookRecord]
    unchanged: dict[str, BookRecord]
    refused: tuple[tuple[Fate, BookRecord], ...]

    def count(self, fate: Fate) -> int:
        """Return how many books were refused by `fate`."""
        return sum(1 for found, _ in self.refused if found == fate)

    def placeholders(self) -> int:
        """Return how many of the new books quote nothing."""
        return sum(1 for book in self.new.values() if is_placeholder(best(book.bids), best(book.asks)))


def best(levels: tuple[Level, ...]) -> Decimal | None:
    """Return the best price of a side, or None when it is empty."""
    return levels[0].price if levels else None


def sort_books(books: Iterable[BookRecord], *, outcome_ids: Mapping[str, str], stored: Mapping[str, Price]) -> Sorted:
    """Sort books by fate. `outcome_ids` is by vendor key, `stored` the newest prices by outcome id.

    Of several books of one outcome the newest counts and the others are `older`.
    """
    new: dict[str, BookRecord] = {}
    unchanged: dict[str, BookRecord] = {}
    refused: list[tuple[Fate, BookRecord]] = []
    for book in sorted(books, key=lambda book: (book.received_at, book.vendor_at), reverse=True):
        outcome_id = outcome_ids.get(book.outcome_key, "")
        is_second = outcome_id in new or outcome_id in unchanged
        fate: Fate = "older" if is_second else fate_of(book, outcome_id, stored.get(outcome_id))
        if fate == "new":
            new[outcome_id] = book
        elif fate == "unchanged":
            unchanged[outcome_id] = book
        else:
            refused.append((fate, book))
    return Sorted(new, unchanged, tuple(refused))


def fate_of(book: BookRecord, outcome_id: str, stored: Price | None) -> Fate:
    """Decide about one book of a fetch, given the newest stored price of its outcome."""
    if not outcome_id:
        return "unknown"
    if book.vendor_at > book.received_at + VENDOR_AHEAD_MAX or fault_of_book(book.bids, book.asks):
        return "invalid"
    if stored is None:
        return "new"
    if book.vendor_at < stored.vendor_at:
        return "older"
    if book.digest == stored.digest:
        return "unchanged"
    # Another book seen before the stored one was last confirmed comes from a slower loader.
    return "older" if book.received_at <= stored.confirmed_at else "new"
