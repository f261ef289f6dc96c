"""What crosses the threshold of this room: frozen views of markets, prices, books, bars and results.

Prices and units are `Decimal`; times are aware UTC datetimes. A `binary` outcome pays 0 to 1 a unit, a `linear` one
pays the price of its instrument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Pays = Literal["binary", "linear"]
MarketState = Literal["open", "closed", "resolved", "void"]
ResultKind = Literal["final", "void"]


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """One way a market can end; position 0 is the first outcome: Yes, Up, Home."""

    id: str
    position: int
    label: str
    source_key: str


@dataclass(frozen=True, slots=True)
class MarketView:
    """A question whose outcomes pay; `outcomes` are in the order of their positions."""

    id: str
    event_id: str
    source: str
    source_key: str
    slug: str
    question: str
    category: str
    pays: Pays
    instrument_id: str | None
    threshold: Decimal | None
    horizon_bars: int | None
    state: MarketState
    accepts_orders: bool
    opens_at: datetime | None
    closes_at: datetime
    fee_rate: Decimal
    tick_size: Decimal
    min_units: Decimal
    outcomes: tuple[OutcomeView, ...]


@dataclass(frozen=True, slots=True)
class Price:
    """The newest price of an outcome: `received_at` is when it was first seen, `confirmed_at` when it was last seen."""

    outcome_id: str
    quote_id: int
    bid: Decimal | None
    ask: Decimal | None
    bid_units: Decimal | None
    ask_units: Decimal | None
    vendor_at: datetime
    received_at: datetime
    confirmed_at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Level:
    """One price level of a book: `price` per unit, `units` on offer."""

    price: Decimal
    units: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """The stored order book of one outcome, best level first on both sides."""

    quote_id: int
    outcome_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    vendor_at: datetime
    received_at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class QuoteView:
    """One stored change of an outcome's best prices, without its depth."""

    id: int
    outcome_id: str
    bid: Decimal | None
    ask: Decimal | None
    vendor_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Bar:
    """One candle of an instrument; `closes_at` is the moment of its close."""

    closes_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None
    is_final: bool


@dataclass(frozen=True, slots=True)
class InstrumentView:
    """Something with a price from which the desk rolls markets."""

    id: str
    source: str
    symbol: str
    name: str
    kind: str
    currency: str
    note: str


@dataclass(frozen=True, slots=True)
class ResultView:
    """How a market ended, as believed: payout per unit of each outcome; a void result has no payouts."""

    id: str
    market_id: str
    revision: int
    kind: ResultKind
    payouts: Mapping[str, Decimal]
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class OddsView:
    """What one bookmaker offered last on an outcome, in decimal odds; one that is suspended cannot be taken."""

    outcome_id: str
    bookmaker: str
    odds: Decimal
    is_suspended: bool
    is_closing: bool
    vendor_at: datetime | None
    received_at: datetime
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsCounts:
    """What became of the odds of one fetch.

    `markets` were made; `stored` are new rows, `unchanged` said the same again, `older` came late, `unknown` belong to
    markets that the catalogue refused.
    """

    matches: int = 0
    markets: int = 0
    seen: int = 0
    stored: int = 0
    unchanged: int = 0
    older: int = 0
    unknown: int = 0
    rejected: int = 0

    def plus(self, other: OddsCounts) -> OddsCounts:
        """Return both added up."""
        return OddsCounts(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchCounts:
    """How many matches a fetch told of, how many of our markets are about them, and how many results were news."""

    matches: int = 0
    markets: int = 0
    results: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueCounts:
    """What one look at a source's catalogue gave; `older` were described later by the vendor already."""

    listed: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0
    refused: int = 0
    results: int = 0
    rejected: int = 0

    def plus(self, other: CatalogueCounts) -> CatalogueCounts:
        """Return both looks added up."""
        return CatalogueCounts(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class BookCounts:
    """What became of the books of one fetch.

    `stored` are new quotes, `unchanged` moved only `confirmed_at`, `older` came late, `invalid` were not believed
    (crossed, outside [0, 1], from the future), `unknown` belong to no outcome of ours; `placeholders` counts the
    stored ones that quote nothing (0.01 against 0.99).
    """

    seen: int = 0
    stored: int = 0
    unchanged: int = 0
    older: int = 0
    invalid: int = 0
    unknown: int = 0
    placeholders: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleCounts:
    """What became of the bars of one fetch.

    `restated` are final bars whose prices the vendor changed afterwards; `doubles` came again under another time;
    `invalid` contradict themselves, or stand in an answer that contradicts what is stored.
    """

    seen: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    restated: int = 0
    doubles: int = 0
    invalid: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RollCounts:
    """How many rolled markets were made, of how many instruments."""

    instruments: int = 0
    events: int = 0
    markets: int = 0
