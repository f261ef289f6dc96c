"""What the odds of one match must be to be believed; pure.

Decimal odds o pay o for a stake of 1, so 1/o is the price of a unit. The prices of all outcomes that one bookmaker
offers on one market add up to its overround: a little above 1 (the margin). Far outside the range something else was
written into the columns: odds ×100, another line's odds, American odds, a market half withdrawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from apps.sources.types import OddsLine, OddsRecord, Rejected

ONE = Decimal(1)
ODDS_MAX = Decimal(1001)  # the longest odds that bookmakers and exchanges write
OVERROUND_MIN, OVERROUND_MAX = Decimal("0.98"), Decimal("1.40")
# The best odds of all bookmakers together belong to nobody's book: buying all outcomes may well cost less than a unit.
BEST_OF_ALL = frozenset({"market maximum"})
BEST_OF_ALL_MIN = Decimal("0.80")
AHEAD_MAX = timedelta(seconds=60)  # how far a vendor's clock may run ahead of ours
OUTCOMES = {
    "1x2": frozenset({"home", "draw", "away"}),
    "moneyline": frozenset({"home", "away"}),
    "over_under": frozenset({"over", "under"}),
    "asian_handicap": frozenset({"home", "away"}),
}
Offer = tuple[str, str, Decimal | None, bool]  # kind, bookmaker, line, closing


def believable(record: OddsRecord) -> tuple[OddsRecord | None, tuple[Rejected, ...]]:
    """Return the match with the offers that are believed (None when none is), and a rejected for each other one.

    An offer is what one bookmaker asks for all outcomes of one market; it is believed or refused as a whole, since one
    wrong number makes its neighbours doubtful.
    """
    kept: list[OddsLine] = []
    rejected: list[Rejected] = []
    for offer, lines in offers_of(record.lines).items():
        reason = fault_of_offer(lines, received_at=record.received_at)
        if reason:
            rejected.append(_rejected(record, offer, lines, reason))
        else:
            kept += unique(lines)
    return (replace(record, lines=tuple(kept)) if kept else None), tuple(rejected)


def offers_of(lines: Iterable[OddsLine]) -> Mapping[Offer, Sequence[OddsLine]]:
    """Return the lines of each offer, in their order."""
    offers: defaultdict[Offer, list[OddsLine]] = defaultdict(list)
    for line in lines:
        offers[line.kind, line.bookmaker, line.line, line.closing].append(line)
    return offers


def fault_of_offer(lines: Sequence[OddsLine], *, received_at: datetime) -> str:
    """Say why an offer is not believed, or return "".

    The overround is asked only where every outcome is offered: half an offer has none. An offer that is suspended is
    measured too, for its odds are stored.
    """
    if any(line.vendor_at is not None and line.vendor_at > received_at + AHEAD_MAX for line in lines):
        return "odds from the future"
    if any(line.outcome not in OUTCOMES[line.kind] for line in lines):
        return f"an outcome that a market of {lines[0].kind} does not have"
    if len({(line.outcome, line.odds) for line in lines}) != len({line.outcome for line in lines}):
        return "one outcome at two odds"
    return _fault_of_odds(lines)


def _fault_of_odds(lines: Sequence[OddsLine]) -> str:
    if any(not ONE < line.odds <= ODDS_MAX for line in lines):
        return f"odds that are not above 1 and at most {ODDS_MAX}"
    if {line.outcome for line in lines} != OUTCOMES[lines[0].kind]:
        return ""
    overround = sum((ONE / line.odds for line in unique(lines)), Decimal(0))
    low = BEST_OF_ALL_MIN if lines[0].bookmaker in BEST_OF_ALL else OVERROUND_MIN
    return "" if low <= overround <= OVERROUND_MAX else f"overround outside {low} to {OVERROUND_MAX}"


def unique(lines: Sequence[OddsLine]) -> list[OddsLine]:
    """Return one line for each outcome: said twice with the same odds it counts once, suspended if either is."""
    by_outcome: dict[str, OddsLine] = {}
    for line in lines:
        known = by_outcome.get(line.outcome)
        suspended = line.suspended or (known is not None and known.suspended)
        by_outcome[line.outcome] = replace(line, suspended=suspended) if suspended != line.suspended else line
    return list(by_outcome.values())


def _rejected(record: OddsRecord, offer: Offer, lines: Sequence[OddsLine], reason: str) -> Rejected:
    kind, bookmaker, goals, closing = offer
    named = f"{kind} {goals if goals is not None else ''} {bookmaker}{' closing' if closing else ''}"
    said = ", ".join(f"{line.outcome} {line.odds:f}" for line in lines)
    return Rejected(reason=reason, excerpt=f"{record.match.key} {named}: {said}"[:2_000], key=f"{record.match.key} {named}"[:200])
