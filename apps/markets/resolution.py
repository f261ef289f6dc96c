"""When and how a market has ended; pure.

Nothing settles before the scheduled close, on a stale answer, on a proposal or in a dispute, or on a result whose
payouts do not add up to one unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from apps.markets.types import ResultKind

if TYPE_CHECKING:
    from apps.sources.types import ResolutionRecord

ZERO, ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True)
class Ended:
    """The market has ended: payout per unit of each outcome by position; none when void."""

    kind: ResultKind
    payouts: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The market has not ended for us yet, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What we know of a market when its source speaks of its end."""

    outcomes: int
    closes_at: datetime
    is_closed: bool
    is_stale: bool = False


def judge(resolution: ResolutionRecord, situation: Situation, *, now: datetime) -> Ended | Waiting:
    """Decide whether what a source says about a market is its end."""
    reason = gate(resolution, situation, now=now)
    if reason:
        return Waiting(reason)
    if resolution.status == "void":
        return Ended("void", ())
    is_good = is_strict(resolution.payouts, situation.outcomes)
    return Ended("final", resolution.payouts) if is_good else Waiting("not-strict")


def gate(resolution: ResolutionRecord, situation: Situation, *, now: datetime) -> str:
    """Say why the end has to wait whatever the payouts, or return ""."""
    is_early = resolution.resolved_at is not None and resolution.resolved_at > now
    reasons = {
        "stale": situation.is_stale,
        "proposed": resolution.status == "proposed",
        "disputed": resolution.status == "disputed",
        "not-closed": not situation.is_closed,
        "before-close": now < situation.closes_at,
        "from-the-future": is_early,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def is_strict(payouts: Sequence[Decimal], outcomes: int) -> bool:
    """Tell whether payouts are one for each outcome, all in [0, 1], and add up to exactly one unit.

    One winner takes all, or the unit is shared (part payouts, a dead heat). Prices near an end are not an end.
    """
    is_inside = all(payout.is_finite() and ZERO <= payout <= ONE for payout in payouts)
    return is_inside and len(payouts) == outcomes and sum(payouts) == ONE


def above(close: Decimal, threshold: Decimal) -> Ended:
    """Pay Yes exactly when the close is above the threshold; a close at the threshold pays No."""
    return Ended("final", (ONE, ZERO) if close > threshold else (ZERO, ONE))


def at_price(close: Decimal) -> Ended:
    """Pay the instrument's close itself, for linear markets."""
    return Ended("final", (close,))
