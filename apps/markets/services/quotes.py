"""Books into the store: one fetch, one transaction, one COPY."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import connection

from apps.audit import services as audit
from apps.core import bell
from apps.core.db import durable, transaction
from apps.core.rows import copy_rows
from apps.markets import partitions, selectors
from apps.markets.fates import Sorted, best, sort_books
from apps.markets.models import LatestPrice, Outcome
from apps.markets.shapes import stored_levels
from apps.markets.types import BookCounts, Price
from apps.sources import selectors as source_views
from apps.sources import services as sources

if TYPE_CHECKING:
    from apps.sources.types import BookRecord, Level

COLUMNS = ("id", "outcome_id", "bid", "ask", "bids", "asks", "venue", "vendor_at", "received_at", "digest")
LATEST_FIELDS = ("quote_id", "bid", "ask", "bid_units", "ask_units", "vendor_at", "received_at", "confirmed_at", "digest")


@durable
def refresh_books(*, source: str, now: datetime, by: str) -> BookCounts:
    """Fetch the books of every watched outcome that `source` quotes and store what changed; nothing when another is at it.

    Raises what fetching raises, UnknownSource among it.
    """
    work = partial(_refresh, source=source, now=now, by=by)
    return sources.run_errand(name=f"markets.books.{source}", work=work, idle=BookCounts(), now=now)


def _refresh(*, source: str, now: datetime, by: str) -> BookCounts:
    quoted = source_views.sources_quoted_by(source)
    # Decided once: keys that moved from one batch to another in the middle would be asked for again.
    keys = sources.once(what="keys", decide=lambda: list(selectors.outcome_keys_to_watch(now=now, sources=quoted)))
    if not keys:
        return BookCounts()
    batch = sources.fetch_books(source=source, outcome_keys=keys, now=now, by=by)
    return store_books(source=source, books=batch.records, now=now, by=by, rejected=len(batch.rejected))


@transaction
def store_books(*, source: str, books: Sequence[BookRecord], now: datetime, by: str, rejected: int = 0) -> BookCounts:
    """Store the books that changed as quotes of the venue `source`, and confirm those that did not.

    Outcomes are locked in the order of their ids, so two loaders of the same answer store it once. Crossed books,
    prices outside [0, 1] and books older than the stored one are refused and counted; a book of an outcome of a source
    that this venue does not quote counts as unknown. Raises UnknownSource.
    """
    quoted = source_views.sources_quoted_by(source)
    partitions.ensure_days({book.received_at.date() for book in books})
    outcome_ids = _lock_outcomes({book.outcome_key for book in books}, quoted)
    stored = selectors.latest_prices(outcome_ids.values())
    fates = sort_books(books, outcome_ids=outcome_ids, stored=stored)
    quote_ids = _store_quotes(fates.new, venue=source)
    _store_latest(fates, stored, quote_ids)
    counts = _count(fates, seen=len(books), rejected=rejected)
    if fates.new:
        _tell(counts, fates, source=source, now=now, by=by)
    return counts


def _lock_outcomes(keys: Iterable[str], quoted: Sequence[str]) -> dict[str, str]:
    """Lock the outcomes with these vendor keys, of the quoted sources alone, and return their ids by key."""
    rows = Outcome.objects.filter(source_key__in=tuple(keys), market__source__in=quoted).exclude(source_key="").order_by("id")
    return dict(rows.select_for_update(no_key=True, of=("self",)).values_list("source_key", "id"))


def _store_quotes(books: dict[str, BookRecord], *, venue: str) -> dict[str, int]:
    """Append one quote for each outcome's book and return the quote ids by outcome id."""
    quote_ids = dict(zip(books, _fresh_ids(len(books)), strict=True))
    if books:
        rows = (_quote_row(quote_ids[outcome_id], outcome_id, book, venue) for outcome_id, book in books.items())
        copy_rows("markets_quote", COLUMNS, rows)
    return quote_ids


def _fresh_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('markets_quote_id_seq') FROM generate_series(1, %s)", [count])
        return [number for (number,) in cursor.fetchall()]


def _quote_row(quote_id: int, outcome_id: str, book: BookRecord, venue: str) -> tuple[Any, ...]:
    prices = (best(book.bids), best(book.asks), stored_levels(book.bids), stored_levels(book.asks))
    return (quote_id, outcome_id, *prices, venue, book.vendor_at, book.received_at, book.digest)


def _store_latest(fates: Sorted, stored: dict[str, Price], quote_ids: dict[str, int]) -> None:
    """Set the newest prices of changed outcomes and the confirmation of unchanged ones, in one statement."""
    rows = [_new_latest(outcome_id, book, quote_ids[outcome_id]) for outcome_id, book in fates.new.items()]
    rows += [_confirmed(stored[outcome_id], book.received_at) for outcome_id, book in fates.unchanged.items()]
    LatestPrice.objects.bulk_create(rows, update_conflicts=True, unique_fields=["outcome"], update_fields=LATEST_FIELDS)


def _new_latest(outcome_id: str, book: BookRecord, quote_id: int) -> LatestPrice:
    return LatestPrice(
        outcome_id=outcome_id,
        quote_id=quote_id,
        bid=best(book.bids),
        ask=best(book.asks),
        bid_units=_best_units(book.bids),
        ask_units=_best_units(book.asks),
        vendor_at=book.vendor_at,
        received_at=book.received_at,
        confirmed_at=book.received_at,
        digest=book.digest,
    )


def _best_units(levels: tuple[Level, ...]) -> Decimal | None:
    return levels[0].units if levels else None


def _confirmed(price: Price, received_at: datetime) -> LatestPrice:
    fields = {name: getattr(price, name) for name in LATEST_FIELDS}
    fields["confirmed_at"] = max(price.confirmed_at, received_at)
    return LatestPrice(outcome_id=price.outcome_id, **fields)


def _count(fates: Sorted, *, seen: int, rejected: int) -> BookCounts:
    return BookCounts(
        seen=seen,
        stored=len(fates.new),
        unchanged=len(fates.unchanged),
        older=fates.count("older"),
        invalid=fates.count("invalid"),
        unknown=fates.count("unknown"),
        placeholders=fates.placeholders(),
        rejected=rejected,
    )


def _tell(counts: BookCounts, fates: Sorted, *, source: str, now: datetime, by: str) -> None:
    """Write one audit event for the batch and wake the forecasters."""
    lines = (f"{outcome_id}:{fates.new[outcome_id].digest}" for outcome_id in sorted(fates.new))
    detail = {
        "stored": counts.stored,
        "unchanged": counts.unchanged,
        "refused": counts.older + counts.invalid + counts.unknown,
        "digest": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }
    audit.record(action="quotes.stored", subject=source, by=by, now=now, detail=detail)
    bell.ring("tasks.forecast.due")
