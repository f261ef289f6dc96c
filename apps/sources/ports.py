"""What a vendor folder is to the rest of the room: a `Vendor` with the feeds that it offers.

A feed asks through a `Caller` (bytes first) and gives a `Gathered` (meaning second): good rows and, as values, the
rows that were not believed, so that one bad row never stops the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

from apps.resilience.freshness import CacheRule
from apps.sources.gates.bars import Flag
from apps.sources.types import (
    AnalysisQuestion,
    AnalysisRecord,
    ArticleRecord,
    BookRecord,
    CandleRecord,
    InstrumentRecord,
    MarketRecord,
    MatchRecord,
    OddsRecord,
    PricePoint,
    Rejected,
    TickerRecord,
)

T = TypeVar("T")
Params = tuple[tuple[str, str], ...]
FRESH_S = 1800.0
DEADLINE_S = 30.0
BODY_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The bytes of one good answer, its headers (names in lower case), and when it came."""

    body: bytes
    received_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)


class Caller(Protocol):
    """Calls one vendor: paths are relative to its base address. Raises the room's errors."""

    async def get(self, path: str, params: Params = (), headers: Params = ()) -> Reply:
        """Ask for `path`; the vendor's key is added on the way."""
        ...

    async def post(self, path: str, body: object, *, repeatable: bool = True) -> Reply:
        """Ask with a JSON body; a question that must not be asked twice (it costs money) is not `repeatable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """Where a vendor's key goes: in a header or a parameter of that name, or in place of `{key}` in the path.

    A vendor whose key is not `required` is called without one when none is configured.
    """

    place: Literal["header", "param", "path"]
    name: str = ""
    prefix: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered(Generic[T]):
    """What a feed gave. `complete` is False when a part of the answer could not be had.

    Python 3.11 cannot call a slotted generic with its parameter: write `x: Gathered[T] = Gathered()`.
    """

    records: tuple[T, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    complete: bool = True

    def plus(self, other: Gathered[T]) -> Gathered[T]:
        """Return both together."""
        return Gathered(
            records=self.records + other.records,
            rejected=self.rejected + other.rejected,
            complete=self.complete and other.complete,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """An instrument with its bars, and what is unusual about them though it is believed."""

    instrument: InstrumentRecord
    bars: Gathered[CandleRecord]
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a live self-check found, in a sentence for the operator."""

    is_good: bool
    message: str


OpenMarkets = Callable[[Caller], Awaitable[Gathered[MarketRecord]]]
MarketStates = Callable[[Caller, Sequence[str]], Awaitable[Gathered[MarketRecord]]]
Books = Callable[[Caller, Sequence[str]], Awaitable[Gathered[BookRecord]]]
PriceHistory = Callable[[Caller, str], Awaitable[Gathered[PricePoint]]]
Candles = Callable[[Caller, str, datetime | None], Awaitable[Chart]]
Tickers = Callable[[Caller, Sequence[str]], Awaitable[Gathered[TickerRecord]]]
Odds = Callable[[Caller, Sequence[str]], Awaitable[Gathered[OddsRecord]]]
MatchResults = Callable[[Caller, Sequence[str]], Awaitable[Gathered[MatchRecord]]]
Articles = Callable[[Caller, Sequence[str]], Awaitable[Gathered[ArticleRecord]]]
Analysis = Callable[[Caller, AnalysisQuestion], Awaitable[Gathered[AnalysisRecord]]]
Check = Callable[[Caller], Coroutine[Any, Any, CheckResult]]
FEEDS = (
    "open_markets",
    "market_states",
    "books",
    "price_history",
    "candles",
    "tickers",
    "odds",
    "match_results",
    "articles",
    "analysis",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor: where it lives, its published quota, and the feeds that it offers (None: not offered).

    Feeds that take keys are asked for `default_keys` when nobody says which: symbols, leagues, or words to search for;
    `keys_at` gives them where they change with time (the season). `deadline_s` is what one call may take, waits included.
    `quotes_for` names the sources whose outcomes its books are about. `fresh_s` is how old its last success may be
    before the desk calls it stale; None for a vendor that is asked on demand only. With a `cache` rule its answers are
    kept: young ones are not asked for again, older ones only whether they changed, and they stand in when it is away or
    sends something that `believes` does not take for an answer.
    `body_bytes_max` caps its answers.
    """

    slug: str
    name: str
    base_url: str
    rate_per_minute: int
    check: Check
    open_markets: OpenMarkets | None = None
    market_states: MarketStates | None = None
    books: Books | None = None
    price_history: PriceHistory | None = None
    candles: Candles | None = None
    tickers: Tickers | None = None
    odds: Odds | None = None
    match_results: MatchResults | None = None
    articles: Articles | None = None
    analysis: Analysis | None = None
    key: KeyRule | None = None
    default_keys: tuple[str, ...] = field(default=())
    quotes_for: tuple[str, ...] = field(default=())
    fresh_s: float | None = FRESH_S
    cache: CacheRule | None = None
    believes: Callable[[bytes], bool] | None = None
    body_bytes_max: int = BODY_BYTES_MAX
    deadline_s: float = DEADLINE_S
    keys_at: Callable[[datetime], tuple[str, ...]] | None = None

    def keys_for(self, given: Sequence[str], *, now: datetime) -> tuple[str, ...]:
        """Return what a feed is asked for: what was given, else what the vendor is asked for by default at this time."""
        if given:
            return tuple(given)
        return self.keys_at(now) if self.keys_at is not None else self.default_keys

    @property
    def offers(self) -> tuple[str, ...]:
        """The names of the feeds that this vendor offers."""
        return tuple(name for name in FEEDS if getattr(self, name) is not None)
