"""What a position is paid when its market ends: one function for every kind of market. Pure.

A final result pays units x payout. The payout carries the case: 1 or 0 for a plain win or loss, a fraction for part
payouts and dead heats (two winners of one place: 1/2 each), the price that was paid for a push, and the instrument's
price for a linear market. A void market never happened: cost and fees come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.core.money import to_receive_minor
from apps.settlement.errors import PayoutMissing
from apps.settlement.types import Kind

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Payment:
    """What comes in for a position, and the gain or loss with cost and fees taken off."""

    payout: Decimal
    paid_minor: int
    realised_minor: int


def payment(*, kind: Kind, units: Decimal, payout: Decimal, cost_minor: int, fees_minor: int, currency: str) -> Payment:
    """Work out what a position is paid; what we receive is rounded down to the minor unit."""
    if kind == "void":
        return Payment(payout=NOTHING, paid_minor=cost_minor + fees_minor, realised_minor=0)
    paid_minor = to_receive_minor(units * payout, currency)
    return Payment(payout, paid_minor, realised_minor=paid_minor - cost_minor - fees_minor)


def payout_of(outcome_id: str, *, kind: Kind, payouts: Mapping[str, Decimal]) -> Decimal:
    """Return what a unit of the outcome pays. Raises PayoutMissing when a final result does not say or says less than 0."""
    if kind == "void":
        return NOTHING
    if outcome_id not in payouts or not payouts[outcome_id] >= 0:
        raise PayoutMissing(f"the result names no payout for {outcome_id}")
    return payouts[outcome_id]


def booking(*, kind: Kind, cost_minor: int, paid_minor: int) -> dict[str, int]:
    """Return the amounts per ledger account, adding up to zero: the position leaves at cost, cash comes in.

    The difference is result (a gain is a credit); of a void market it is the fees, which stop being an expense.
    """
    difference = "fees" if kind == "void" else "result"
    return {"cash": paid_minor, "positions": -cost_minor, difference: cost_minor - paid_minor}
