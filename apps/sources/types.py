"""What crosses the threshold of this room: vendors' news in the desk's own words.

Every adapter turns its vendor's wire into these frozen records; rooms after this one never see a wire.
Prices of binary outcomes are probabilities in [0, 1] as `Decimal`; times are aware UTC datetimes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Generic, Literal, TypeVar

# Texts are cut to these lengths at the window, so that no room after it meets a longer one.
SLUG_LENGTH, QUESTION_LENGTH, TITLE_LENGTH, CATEGORY_LENGTH, LABEL_LENGTH = 200, 400, 300, 40, 120
NAME_LENGTH, KIND_LENGTH, CURRENCY_LENGTH = 200, 20, 8
URL_LENGTH, SUMMARY_LENGTH, PUBLISHER_LENGTH, LANGUAGE_LENGTH = 1_000, 2_000, 120, 10

ResolutionStatus = Literal["proposed", "disputed", "final", "void"]
SourceState = Literal["on", "off", "paused"]
MatchStatus = Literal["scheduled", "live", "finished", "postponed", "abandoned", "cancelled", "awarded"]
OddsKind = Literal["moneyline", "1x2", "over_under", "asian_handicap"]
ArticleKind = Literal["news", "post"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRecord:
    """One outcome of a market: `key` is the vendor's own (a CLOB token id), `label` what people read."""

    key: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """The happening that one or more markets are about."""

    key: str
    title: str
    category: str
    starts_at: datetime | None = None
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionRecord:
    """How a market ended, as the vendor says it: payout per unit of each outcome, in the order of `outcomes`."""

    status: ResolutionStatus
    payouts: tuple[Decimal, ...]
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRecord:
    """One market as a vendor lists it."""

    key: str
    slug: str
    question: str
    category: str
    event: EventRecord
    outcomes: tuple[OutcomeRecord, ...]
    opens_at: datetime | None
    closes_at: datetime
    accepts_orders: bool
    closed: bool
    fee_rate: Decimal
    tick_size: Decimal
    min_units: Decimal
    volume: Decimal
    resolution: ResolutionRecord | None = None
    vendor_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One price level of a book: `price` per unit, `units` on offer."""

    price: Decimal
    units: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRecord:
    """The order book of one outcome, best level first on both sides."""

    outcome_key: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    vendor_at: datetime
    received_at: datetime
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePoint:
    """One point of an outcome's price history."""

    outcome_key: str
    at: datetime
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleRecord:
    """One bar of an instrument; `closes_at` is the moment of its close; `final` once it can no longer change."""

    symbol: str
    closes_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentRecord:
    """Something with a price: `kind` is index, future, equity or crypto; `note` tells where unusual data comes from."""

    symbol: str
    name: str
    kind: str
    currency: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickerRecord:
    """The price of an instrument now; `change` is the fraction since a day ago (0.01: one percent up).

    `volume` and `market_cap` are in `currency`; `vendor_at` is None where the vendor does not say when.
    """

    symbol: str
    name: str
    price: Decimal
    currency: str
    change: Decimal | None
    volume: Decimal | None
    market_cap: Decimal | None
    vendor_at: datetime | None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRecord:
    """One match or race of a sport; scores are those that bets are settled by (regular time), None until known."""

    key: str
    sport: str
    league: str
    home: str
    away: str
    starts_at: datetime
    status: MatchStatus
    home_score: int | None = None
    away_score: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsLine:
    """What one bookmaker offers on one outcome in decimal odds (above 1); `line` is the goals or handicap of the market.

    `outcome` is home, draw, away, over or under; a suspended line is known and cannot be taken.
    """

    kind: OddsKind
    outcome: str
    bookmaker: str
    odds: Decimal
    line: Decimal | None = None
    suspended: bool = False
    closing: bool = False
    vendor_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsRecord:
    """A match with all that is offered on it."""

    match: MatchRecord
    lines: tuple[OddsLine, ...]
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleRecord:
    """One piece of news or one post. `key` is the vendor's own; `publisher` who wrote it; `symbols` what the vendor ties it to.

    `score` is what the vendor counts of readers' interest (votes, likes), when it does.
    """

    key: str
    kind: ArticleKind
    url: str
    title: str
    summary: str
    publisher: str
    language: str
    published_at: datetime
    symbols: tuple[str, ...] = ()
    score: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisQuestion:
    """What an analyst is asked: the question, the outcome whose probability is wanted, and what is known, as plain text."""

    question: str
    outcome: str
    background: str
    closes_at: datetime
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRecord:
    """An analyst's text with a probability in [0, 1]; tokens as the vendor counts them."""

    text: str
    probability: Decimal
    model: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """An analyst's answer as it is given on: `age_s` since it was made; `reason` says why a new one could not be had.

    `cost` is what this answer cost in US dollars: 0 for one that was kept.
    """

    text: str
    probability: Decimal
    model: str
    made_at: datetime
    age_s: float
    cost: Decimal
    is_stale: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One row of a vendor's answer that was not believed, and why. `excerpt` is cut to 2,000 characters.

    `key` is the vendor's own key of the row, when it has one: the same row seen again is counted, not kept twice.
    `digest` is the SHA-256 of a whole body that was not believed, where it is known.
    """

    reason: str
    excerpt: str
    key: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Generic[T]):
    """What one fetch gave: the good rows, the quarantined rows, and whether the answer is stale."""

    source: str
    operation: str
    records: tuple[T, ...]
    rejected: tuple[Rejected, ...] = field(default=())
    fetched_at: datetime
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchCounts:
    """How much one fetch brought."""

    operation: str
    records: int
    rejected: int
    stale: bool
