"""What crosses the threshold of this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from apps.portfolio.types import PortfolioKind, Side

Verdict = Literal["allowed", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """What somebody wants to do: a buy names `stake_minor` (the most to spend, fees on top), a sell names `units`."""

    tenant_id: str
    portfolio_id: str
    portfolio_kind: PortfolioKind
    market_id: str
    outcome_id: str
    side: Side
    stake_minor: int | None = None
    units: Decimal | None = None
    limit_price: Decimal | None = None
    by: str


@dataclass(frozen=True, slots=True)
class DecisionView:
    """What risk said, with the codes of the checks that said no and whether asking later may help."""

    id: str
    is_allowed: bool
    reasons: tuple[str, ...]
    is_transient: bool
    worst_fee_minor: int


@dataclass(frozen=True, slots=True)
class LimitsView:
    """The hard limits of one tenant."""

    tenant_id: str
    position_size_max_minor: int
    positions_open_max: int
    shadow_positions_open_max: int
    daily_loss_max_minor: int
    concentration_max_share: float
    trade_max_minor: int
    drawdown_max_share: float
    category_max_share: float
    price_age_max_s: float
    spread_max: float
    close_min_s: float


@dataclass(frozen=True, slots=True)
class LockView:
    """A stop in force."""

    name: str
    reason: str
    set_by: str
    set_at: datetime
    expires_at: datetime | None

    def stops(self, kind: PortfolioKind) -> bool:
        """Say whether this lock stops portfolios of `kind`; a name without a colon stops all."""
        _, colon, only = self.name.partition(":")
        return not colon or only == kind


@dataclass(frozen=True, slots=True)
class PortfolioRisk:
    """Where one portfolio stands against its limits."""

    kind: PortfolioKind
    equity_minor: int
    peak_minor: int
    day_change_minor: int
    available_minor: int
    held_minor: int
    exposure_minor: int
    positions_open: int
    by_category_minor: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RiskStatus:
    """Limits, locks and standing of one tenant."""

    tenant_id: str
    currency: str
    limits: LimitsView
    locks: tuple[LockView, ...]
    portfolios: tuple[PortfolioRisk, ...]


HOLD_PREFIX = "decision:"


def hold_reference(decision_id: str) -> str:
    """Name the ledger hold that an allowed decision leads to; risk finds pending money by this name."""
    return f"{HOLD_PREFIX}{decision_id}"


def decision_of_hold(reference: str) -> str:
    """Return the decision that a hold's name speaks of."""
    return reference.removeprefix(HOLD_PREFIX)
