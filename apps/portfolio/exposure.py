"""How much is at risk, and where; and what a fill does to a holding. Pure, in integers and decimals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from apps.portfolio.types import Exposure


@dataclass(frozen=True, slots=True)
class Stake:
    """Money at risk on one outcome, and what that outcome belongs to."""

    outcome_id: str
    event_id: str
    category: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Holding:
    """Units of one outcome with what was paid for them."""

    units: Decimal
    cost_minor: int
    fees_minor: int
    realised_minor: int


@dataclass(frozen=True, slots=True)
class Change:
    """A holding after a fill, the cost that moved, and the gain over cost before fees (0 on a buy)."""

    holding: Holding
    cost_minor: int
    gain_minor: int


def exposure_of(stakes: Iterable[Stake]) -> Exposure:
    """Add up stakes per outcome, event and category; an outcome with two stakes counts as one position."""
    by_outcome: Counter[str] = Counter()
    by_event: Counter[str] = Counter()
    by_category: Counter[str] = Counter()
    for stake in stakes:
        by_outcome[stake.outcome_id] += stake.amount_minor
        by_event[stake.event_id] += stake.amount_minor
        by_category[stake.category] += stake.amount_minor
    return Exposure(
        total_minor=by_outcome.total(),
        positions_open=len(by_outcome),
        by_outcome_minor=dict(by_outcome),
        by_event_minor=dict(by_event),
        by_category_minor=dict(by_category),
    )


def share_of(amount_minor: int, part: Decimal, whole: Decimal) -> int:
    """Return the share of `amount_minor` that belongs to `part` of `whole`, rounded half-even; all of it for the whole."""
    if part >= whole:
        return amount_minor
    return int((Decimal(amount_minor) * part / whole).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def bought(holding: Holding, *, units: Decimal, notional_minor: int, fee_minor: int) -> Change:
    """Add bought units with their cost and fee."""
    after = replace(
        holding,
        units=holding.units + units,
        cost_minor=holding.cost_minor + notional_minor,
        fees_minor=holding.fees_minor + fee_minor,
    )
    return Change(after, cost_minor=notional_minor, gain_minor=0)


def sold(holding: Holding, *, units: Decimal, notional_minor: int, fee_minor: int) -> Change:
    """Take sold units out with their share of cost and fees, and realise the difference.

    The gain over cost goes to the ledger's result account; what the position realises has both fees taken off.
    """
    cost_minor = share_of(holding.cost_minor, units, holding.units)
    fees_minor = share_of(holding.fees_minor, units, holding.units)
    gain_minor = notional_minor - cost_minor
    after = Holding(
        units=holding.units - units,
        cost_minor=holding.cost_minor - cost_minor,
        fees_minor=holding.fees_minor - fees_minor,
        realised_minor=holding.realised_minor + gain_minor - fees_minor - fee_minor,
    )
    return Change(after, cost_minor=cost_minor, gain_minor=gain_minor)
