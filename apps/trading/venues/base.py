"""What the desk asks of a venue: take an order under our id, and say what became of it.

Both may be asked any number of times for the same id and answer the same. Neither may be called while a transaction
is open: what a venue does cannot be rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from apps.portfolio.types import Side

VenueState = Literal["pending", "done", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order in the venue's words: a buy has `spend` (fees on top), a sell has `units`."""

    market_id: str
    outcome_id: str
    side: Side
    spend: Decimal | None
    units: Decimal | None
    limit: Decimal | None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The venue has the order; it makes sense to ask again at `due_at`."""

    client_order_id: str
    received_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFill:
    """What an order got: `notional` is the money for the units without `fee`, `price` their average."""

    venue_fill_id: str
    units: Decimal
    price: Decimal
    notional: Decimal
    fee: Decimal
    is_depth_limited: bool
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueReport:
    """What the venue knows of an order: waiting, done with a fill, or rejected with a reason."""

    client_order_id: str
    state: VenueState
    due_at: datetime
    reason: str = ""
    fill: VenueFill | None = None


class Venue(Protocol):
    """A place where orders meet books.

    Every verb raises Transient when the venue is away, and OutcomeUnknown when it is not sure that a submit arrived.
    """

    name: str

    def submit(self, client_order_id: str, request: OrderRequest, *, now: datetime) -> Acknowledgement:
        """Take the order; the same id again is the same order."""

    def status(self, client_order_id: str, *, now: datetime) -> VenueReport | None:
        """Say what became of the order, or None when it never arrived."""

    def withdraw(self, client_order_id: str, *, now: datetime) -> VenueReport:
        """Make sure that an order which never arrived cannot arrive late; one that did arrive is reported as it is."""
