"""What crosses the threshold of this room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Kind = Literal["final", "void"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementView:
    """The settling of one market for one tenant by one revision of its result."""

    id: str
    tenant_id: str
    market_id: str
    result_id: str
    revision: int
    kind: Kind
    paid_minor: int
    realised_minor: int
    settled_at: datetime
    reversed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLine:
    """What settling would pay one position, nothing written."""

    tenant_id: str
    market_id: str
    position_id: str
    portfolio_id: str
    outcome_id: str
    units: Decimal
    payout: Decimal
    cost_minor: int
    fees_minor: int
    paid_minor: int
    realised_minor: int
