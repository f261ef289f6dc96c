"""The life of an order. Pure.

    accepted ──> sending ──> sent ──> filled | partly_filled | rejected
                    │          ^
                    v          │
                 unknown ──────┴────> filled | partly_filled | rejected | cancelled

`sending` is committed before the venue is called, so whatever dies in between leaves a trace; such an order becomes
`unknown` and is asked after, never sent again. Orders are marketable: what the book does not give at once is dropped,
so `partly_filled` is an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from apps.trading.errors import IllegalMove
from apps.trading.types import OrderState

NEXT: Mapping[OrderState, frozenset[OrderState]] = {
    "accepted": frozenset({"sending"}),
    "sending": frozenset({"sent", "unknown"}),
    "sent": frozenset({"filled", "partly_filled", "rejected"}),
    "unknown": frozenset({"sent", "filled", "partly_filled", "rejected", "cancelled"}),
    "filled": frozenset(),
    "partly_filled": frozenset(),
    "rejected": frozenset(),
    "cancelled": frozenset(),
}
UNFINISHED: tuple[OrderState, ...] = tuple(state for state, following in NEXT.items() if following)
FINISHED: tuple[OrderState, ...] = tuple(state for state, following in NEXT.items() if not following)
# What ended without a fill: the same signal may be tried again.
FRUITLESS: tuple[OrderState, ...] = ("rejected", "cancelled")


def moved(present: str, to: OrderState) -> OrderState:
    """Return `to` when an order may go there from `present`. Raises IllegalMove."""
    if to not in NEXT[cast(OrderState, present)]:
        raise IllegalMove(f"an order cannot go from {present} to {to}")
    return to


def is_finished(state: str) -> bool:
    """Say whether nothing more can happen to an order in this state."""
    return state in FINISHED
