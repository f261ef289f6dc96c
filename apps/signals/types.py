"""What crosses the threshold of this room: signals, and counts of what was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from apps.signals.edge import kelly_fraction

PortfolioKind = Literal["main", "shadow"]
SignalState = Literal["new", "suppressed", "taken", "denied", "expired"]


@dataclass(frozen=True, slots=True)
class SignalView:
    """One model's side of one market for one kind of portfolio; chances and prices are those of `outcome_id`."""

    id: str
    forecast_id: str
    market_id: str
    outcome_id: str
    portfolio_kind: PortfolioKind
    state: SignalState
    model: str
    p_model: Decimal
    p_price: Decimal
    ask: Decimal | None
    fee_per_unit: Decimal
    edge_net: Decimal | None
    made_at: datetime
    attempts: int
    reason: str
    order_id: str

    @property
    def stake_fraction(self) -> Decimal:
        """The capped quarter-Kelly share of the bankroll at the ask and fee of the signal; 0 without an edge."""
        if self.ask is None or not 0 < self.ask < 1:
            return Decimal(0)
        rate = self.fee_per_unit / (self.ask * (1 - self.ask))
        return kelly_fraction(self.p_model, self.ask, rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What one run of `generate` made."""

    shadow: int = 0
    suppressed: int = 0
    main: int = 0

    @property
    def total(self) -> int:
        """All signals made."""
        return self.shadow + self.suppressed + self.main
