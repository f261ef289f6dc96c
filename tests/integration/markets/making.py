"""Records as vendors' windows give them, for tests of the store."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.markets import selectors, services
from apps.markets.types import Book, ResultView
from apps.sources.types import (
    Batch,
    BookRecord,
    CandleRecord,
    EventRecord,
    InstrumentRecord,
    Level,
    MarketRecord,
    OutcomeRecord,
    ResolutionRecord,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GAMMA, CLOB = "polymarket_gamma", "polymarket_clob"
BY = "test"


def listed(number: int = 1, **changes: Any) -> MarketRecord:
    """One market in a listing; outcome keys are `t<number>-up` and `t<number>-down`."""
    record = MarketRecord(
        key=f"0x{number}",
        slug=f"btc-{number}",
        question=f"Bitcoin up in {number}?",
        category="crypto",
        event=EventRecord(key=f"e{number}", title=f"Bitcoin {number}", category="crypto"),
        outcomes=(OutcomeRecord(key=f"t{number}-up", label="Up"), OutcomeRecord(key=f"t{number}-down", label="Down")),
        opens_at=NOW,
        closes_at=NOW + timedelta(minutes=15),
        accepts_orders=True,
        closed=False,
        fee_rate=Decimal("0.07"),
        tick_size=Decimal("0.01"),
        min_units=Decimal(5),
        volume=Decimal("123.45"),
    )
    return replace(record, **changes)


def won(number: int = 1, payouts: tuple[str, ...] = ("1", "0"), **changes: Any) -> MarketRecord:
    """The same market closed and finally resolved."""
    end = ResolutionRecord(status="final", payouts=tuple(map(Decimal, payouts)))
    return listed(number, closed=True, accepts_orders=False, resolution=replace(end, **changes))


def batch(*records: Any, stale: bool = False) -> Batch[Any]:
    """What a fetch gives."""
    return Batch(source=GAMMA, operation="markets", records=records, fetched_at=NOW, stale=stale)


def store(*records: MarketRecord, now: datetime = NOW, stale: bool = False):
    """Store a listing."""
    return services.store_markets(source=GAMMA, batch=batch(*records, stale=stale), now=now, by=BY)


def book(key: str, *, bid: str = "0.50", ask: str = "0.52", at: datetime = NOW, vendor_at: datetime | None = None) -> BookRecord:
    """A book of two levels a side; its digest follows its prices."""
    bids = (Level(Decimal(bid), Decimal(10)), Level(Decimal(bid) - Decimal("0.001"), Decimal(20)))
    asks = (Level(Decimal(ask), Decimal(30)), Level(Decimal(ask) + Decimal("0.001"), Decimal(40)))
    digest = hashlib.sha256(f"{bid}/{ask}".encode()).hexdigest()[:32]
    return BookRecord(outcome_key=key, bids=bids, asks=asks, vendor_at=vendor_at or at, received_at=at, digest=digest)


def store_books(*books: BookRecord, now: datetime = NOW):
    """Store the books of one fetch."""
    return services.store_books(source=CLOB, books=books, now=now, by=BY)


INSTRUMENT = InstrumentRecord(symbol="^GSPC", name="S&P 500", kind="index", currency="USD", note="SNP")


def candle(at: datetime, close: str = "2000", *, final: bool = True, **changes: Any) -> CandleRecord:
    """A bar whose four prices are one."""
    price = Decimal(close)
    bar = CandleRecord(
        symbol="^GSPC", closes_at=at, open=price, high=price, low=price, close=price, volume=Decimal(10), final=final
    )
    return replace(bar, **changes)


def store_candles(*bars: CandleRecord, instrument: InstrumentRecord = INSTRUMENT, now: datetime = NOW):
    """Store the bars of one fetch."""
    return services.store_candles(source="yahoo", instrument=instrument, bars=bars, now=now, by=BY)


def result_of(market_id: str) -> ResultView:
    """The result of a market that has one."""
    result = selectors.latest_result(market_id)
    assert result is not None
    return result


def book_of(book: Book | None) -> Book:
    """A book that is there."""
    assert book is not None
    return book
