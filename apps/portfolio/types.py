"""What crosses the threshold of this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

PortfolioKind = Literal["main", "shadow"]
Side = Literal["buy", "sell"]
KINDS: tuple[PortfolioKind, ...] = ("main", "shadow")


@dataclass(frozen=True, slots=True)
class PortfolioView:
    """A portfolio; its ledger accounts are called `<kind>:<part>`."""

    id: str
    tenant_id: str
    kind: PortfolioKind
    currency: str

    def account_code(self, part: Literal["cash", "positions", "fees", "result", "capital"]) -> str:
        """Name the ledger account of one part of this portfolio."""
        return f"{self.kind}:{part}"


@dataclass(frozen=True, slots=True)
class PositionView:
    """What a portfolio holds of one outcome."""

    id: str
    portfolio_id: str
    portfolio_kind: PortfolioKind
    market_id: str
    outcome_id: str
    state: Literal["open", "closed"]
    units: Decimal
    cost_minor: int
    fees_minor: int
    realised_minor: int


@dataclass(frozen=True, slots=True)
class FillEffect:
    """What a fill did to its position: the cost that moved in or out, and the gain or loss over that cost before fees."""

    position_id: str
    cost_minor: int
    gain_minor: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """Money at risk in open positions, at cost with fees."""

    total_minor: int
    positions_open: int
    by_outcome_minor: Mapping[str, int]
    by_event_minor: Mapping[str, int]
    by_category_minor: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Equity:
    """The worth of a portfolio by its books: cash and positions at cost."""

    at: datetime | None
    equity_minor: int
    peak_minor: int
    day_start_minor: int


@dataclass(frozen=True, slots=True)
class EquityStep:
    """One point of the equity's course."""

    at: datetime
    equity_minor: int
    peak_minor: int
