"""What crosses the threshold of this room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from apps.portfolio.types import Side

OrderState = Literal["accepted", "sending", "sent", "filled", "partly_filled", "rejected", "cancelled", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order as other rooms see it."""

    id: str
    tenant_id: str
    portfolio_id: str
    market_id: str
    outcome_id: str
    decision_id: str
    signal_id: str
    side: Side
    stake_minor: int | None
    units: Decimal | None
    limit_price: Decimal | None
    state: OrderState
    reason: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCounts:
    """What one round of work did with the orders that were due."""

    sent: int = 0
    waiting: int = 0
    filled: int = 0
    partly_filled: int = 0
    rejected: int = 0
    unknown: int = 0
    postponed: int = 0
    stale: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileCounts:
    """What reconciling did: `lost` sends became unknown; unknown ones were then found, cancelled or still unknown."""

    lost: int = 0
    found: int = 0
    cancelled: int = 0
    unknown: int = 0
    stale: int = 0
