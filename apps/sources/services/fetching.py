"""Fetching: one verb for each kind of news. Each talks to the world, and writes its trace afterwards.

All raise UnknownSource, SourceClosed and NotOffered before anything is sent; VendorAway (come again after
`retry_after_s`), BadAnswer (nothing in the answer could be believed), VendorRefused and NotAtVendor afterwards.
Where one takes a `progress`, it hears of every call that was answered; nobody knows before how many there will be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import structlog

from apps.core import clock
from apps.core.db import durable
from apps.core.errors import DeskError
from apps.core.progress import Progress, unheard
from apps.sources import http, visits
from apps.sources.calling import Journal
from apps.sources.errors import CallInTransaction, NotOffered, SourceClosed
from apps.sources.models import Source
from apps.sources.ports import Caller, Chart, Gathered, Vendor
from apps.sources.registry import vendor_of, why_off
from apps.sources.services.keeping import ensure_sources
from apps.sources.types import Batch, BookRecord, CandleRecord, InstrumentRecord, MarketRecord, PricePoint
from apps.sources.visits import Visit

T = TypeVar("T")
F = TypeVar("F")
log = structlog.get_logger(__name__)
FLAGS_TOLD_MAX = 10  # of one chart; a series that is odd throughout need not fill the log
Question = Callable[[Caller], Awaitable[Gathered[T]]]


@durable
def fetch_markets(*, source: str, now: datetime, by: str, progress: Progress = unheard) -> Batch[MarketRecord]:
    """Fetch all open markets of a source, all pages."""
    vendor = _open_vendor(source, now=now, by=by)
    feed = _offered(vendor, vendor.open_markets, "markets")
    return _fetch(vendor, "markets", feed, now=now, by=by, progress=progress)


@durable
def fetch_market_states(*, source: str, keys: Sequence[str], now: datetime, by: str) -> Batch[MarketRecord]:
    """Fetch the markets with these keys, closed ones too; keys that the vendor does not know are left out."""
    vendor = _open_vendor(source, now=now, by=by)
    feed = _offered(vendor, vendor.market_states, "market states")
    return _fetch(vendor, "market_states", lambda caller: feed(caller, keys), now=now, by=by)


@durable
def fetch_books(
    *, source: str, outcome_keys: Sequence[str], now: datetime, by: str, progress: Progress = unheard
) -> Batch[BookRecord]:
    """Fetch the order books of these outcomes; outcomes without a book are left out."""
    vendor = _open_vendor(source, now=now, by=by)
    feed = _offered(vendor, vendor.books, "books")
    return _fetch(vendor, "books", lambda caller: feed(caller, outcome_keys), now=now, by=by, progress=progress)


@durable
def fetch_price_history(*, source: str, outcome_key: str, now: datetime, by: str) -> Batch[PricePoint]:
    """Fetch the last day of an outcome's price."""
    vendor = _open_vendor(source, now=now, by=by)
    feed = _offered(vendor, vendor.price_history, "price history")
    return _fetch(vendor, "price_history", lambda caller: feed(caller, outcome_key), now=now, by=by)


@durable
def fetch_candles(
    *, source: str, symbol: str, now: datetime, by: str, since: datetime | None = None
) -> tuple[InstrumentRecord, Batch[CandleRecord]]:
    """Fetch an instrument and its daily bars, oldest first: all that the vendor gives, or those from `since` on."""
    vendor = _open_vendor(source, now=now, by=by)
    feed = _offered(vendor, vendor.candles, "candles")
    charts: list[Chart] = []

    async def question(caller: Caller) -> Gathered[CandleRecord]:
        charts.append(await feed(caller, symbol, since))
        return charts[0].bars

    batch = _fetch(vendor, "candles", question, now=now, by=by)
    for flag in charts[0].flags[:FLAGS_TOLD_MAX]:
        log.warning("bar_flagged", source=source, symbol=symbol, rule=flag.rule, at=flag.at.isoformat(), note=flag.note)
    return charts[0].instrument, batch


def _open_vendor(slug: str, *, now: datetime, by: str) -> Vendor:
    """Return the vendor if it may be called: settings decide whether it is on, staff may pause it.

    A source that has no row yet gets one.
    """
    vendor = vendor_of(slug)
    row = Source.objects.filter(slug=slug).first()
    if row is None:
        ensure_sources(now=now, by=by)
    elif row.state == "paused":
        raise SourceClosed(f"{slug} is paused: {row.state_reason}")
    reason = why_off(vendor)
    if reason:
        raise SourceClosed(f"{slug} is off: it {reason}")
    return vendor


def _offered(vendor: Vendor, feed: F | None, what: str) -> F:
    if feed is None:
        raise NotOffered(f"{vendor.slug} does not offer {what}; it offers {', '.join(vendor.offers)}")
    return feed


def _fetch(
    vendor: Vendor, operation: str, question: Question[T], *, now: datetime, by: str, progress: Progress = unheard
) -> Batch[T]:
    """Ask, write the trace, and return the batch; a failed fetch leaves its trace too."""
    journal = Journal(operation=operation, progress=progress)
    started_s = clock.monotonic_s()

    def visit() -> Visit:
        duration_s = clock.monotonic_s() - started_s
        return Visit(source=vendor.slug, journal=journal, duration_s=duration_s, now=now, by=by)

    try:
        gathered = http.ask(vendor, journal, question)
    except CallInTransaction:
        raise
    except DeskError as error:
        visits.note_failure(visit(), error)
        raise
    if journal.kept_reason:
        visits.note_kept(visit(), gathered)
    elif journal.calls:  # an empty question is answered without asking: that is no news of the vendor
        visits.note_success(visit(), gathered)
    return Batch(
        source=vendor.slug,
        operation=operation,
        records=gathered.records,
        rejected=gathered.rejected,
        fetched_at=journal.received_at or now,
        stale=bool(journal.kept_reason) or not gathered.complete,
    )
