"""What the pages show, ready to be written down: no queries behind these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """One live market on the board; prices are of its first outcome."""

    id: str
    question: str
    outcome: str
    category: str
    closes_at: datetime
    closes_in_s: float
    bid: Decimal | None
    ask: Decimal | None
    mid: Decimal | None
    model: Decimal | None
    final: Decimal | None
    edge: Decimal | None
    edge_side: str
    price_age_s: float | None
    is_stale: bool
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledRow:
    """One live market rolled from an instrument; a linear one has a value with an interval instead of a probability."""

    id: str
    question: str
    symbol: str
    is_linear: bool
    closes_at: datetime
    closes_in_s: float
    final: Decimal | None
    low: Decimal | None
    high: Decimal | None
    base: Decimal | None
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """The market of the chart and what its chart tells."""

    id: str
    question: str
    outcome: str
    state: str
    is_linear: bool
    has_book: bool
    closes_at: datetime
    first_at: datetime | None
    last_at: datetime | None
    prices: int
    forecasts: int
    latest: tuple[FocusPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusPoint:
    """One forecast of the chosen market, for the table that stands in for the chart."""

    at: datetime
    price: Decimal | None
    model: Decimal | None
    final: Decimal | None
    low: Decimal | None
    high: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioFigures:
    """One portfolio's money."""

    id: str
    kind: str
    currency: str
    equity_minor: int
    change_minor: int
    drawdown_minor: int
    open_positions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source with its freshness."""

    slug: str
    name: str
    state: str
    reason: str
    age_s: float | None
    is_fresh: bool
    fetches: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRow:
    """One source as the sources page shows it."""

    slug: str
    name: str
    state: str
    reason: str
    offers: tuple[str, ...]
    age_s: float | None
    is_awaited: bool
    is_fresh: bool
    last_error: str
    last_error_at: datetime | None
    breaker: str
    breaker_failures: int
    calls_saved: int
    per_minute: float
    per_minute_published: int
    per_minute_set: int | None
    cache_hits: int
    cache_asked: int
    fetches: int
    failures: int
    quarantined: int


BEHIND_AFTER_S = 30.0  # a worker that is there takes what is due within a second


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One queue: its rows, its messages (None while the broker is away), and how the last hour went."""

    name: str
    waiting: int
    later: int
    running: int
    parked: int
    messages: int | None
    oldest_wait_s: float | None
    done: int
    wait_p50_s: float | None
    wait_p95_s: float | None
    run_p50_s: float | None
    run_p95_s: float | None

    @property
    def is_behind(self) -> bool:
        """Whether something that is due has waited for too long."""
        return self.oldest_wait_s is not None and self.oldest_wait_s > BEHIND_AFTER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class PacedRow:
    """One source for whose pace work waits, with how much of it is whose."""

    source: str
    waiting: int
    tenants: tuple[tuple[str, int], ...]
    per_minute: float | None
    per_minute_published: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """Why signals of one group are silent, or that they are not."""

    source: str
    category: str
    is_open: bool
    events: int
    days: int
    gain: float | None
    gain_low: float | None
    closing_value: float | None
    closing_value_low: float | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One settled market: how it ended, what it paid, and how well it had been forecast."""

    market_id: str
    question: str
    ended: str
    kind: str
    settled_at: datetime
    realised_minor: int
    currency: str
    forecasts: int
    brier: float | None
    brier_price: float | None
    log_loss_gain: float | None
