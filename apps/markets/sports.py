"""Matches and what bookmakers offer on them as markets of ours, and how those end; pure.

A market of a match is a kind and, where there is one, a line: "match:1x2", "match:over_under:2.5",
"match:asian_handicap:-0.5" (the handicap is added to the home team's goals). Outcomes keep the order of OUTCOMES.

Bets are settled by the score of the regular time. A line that is hit exactly gives stakes back: void. A quarter line is
half a bet on each neighbour (2.25: 2 and 2.5); where one half wins or loses and the other is given back no fixed payout
says it: void. A match that was abandoned, cancelled or awarded at the table was not played out: void; one that was
postponed is void when it has not been played within POSTPONED_MAX of its kick-off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from apps.sources import types as records

if TYPE_CHECKING:
    from apps.sources.types import MatchRecord, OddsKind, OddsLine, OddsRecord

ZERO, ONE, QUARTER = Decimal(0), Decimal(1), Decimal("0.25")
POSTPONED_MAX = timedelta(hours=48)  # the term that most bookmakers' rules give
OUTCOMES: dict[str, tuple[str, ...]] = {
    "1x2": ("home", "draw", "away"),
    "moneyline": ("home", "away"),
    "over_under": ("over", "under"),
    "asian_handicap": ("home", "away"),
}
NOT_PLAYED_OUT = frozenset({"abandoned", "cancelled", "awarded"})


def market_key(match_key: str, kind: str, line: Decimal | None) -> str:
    """Return the key of a market of a match."""
    return f"{match_key}:{kind}" if line is None else f"{match_key}:{kind}:{line:f}"


def kind_and_line(key: str) -> tuple[str, Decimal | None]:
    """Return what a key that `market_key` made says after the match."""
    before, _, last = key.rpartition(":")
    return (last, None) if last in OUTCOMES else (before.rpartition(":")[2], Decimal(last))


def outcome_key(source: str, match_key: str, line: OddsLine) -> str:
    """Return the key of an outcome, unlike any other source's: "goalserve:4711:1x2:home"."""
    return f"{source}:{market_key(match_key, line.kind, line.line)}:{line.outcome}"


def digest_of(line: OddsLine) -> str:
    """Return the fingerprint of what is offered: the same odds in the same state are no news."""
    said = f"{line.odds.normalize():f}|{line.suspended}|{line.closing}"
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def markets_of(record: OddsRecord, *, source: str) -> tuple[records.MarketRecord, ...]:
    """Return the markets that the lines of a match are about, each with all its outcomes. They take no orders of ours."""
    asked = sorted({(line.kind, line.line) for line in record.lines}, key=lambda pair: (pair[0], pair[1] or ZERO))
    return tuple(_market(record.match, kind, line, source) for kind, line in asked)


def _market(match: MatchRecord, kind: OddsKind, line: Decimal | None, source: str) -> records.MarketRecord:
    key = market_key(match.key, kind, line)
    title = f"{match.home} v {match.away}"
    named = f"{title} ({match.league})" if match.league else title
    outcomes = (records.OutcomeRecord(key=f"{source}:{key}:{name}", label=_label(match, name, line)) for name in OUTCOMES[kind])
    return records.MarketRecord(
        key=key,
        slug=key,
        question=f"{title}: {_question(match, kind, line)}",
        category=match.sport,
        event=records.EventRecord(key=match.key, title=named, category=match.sport, starts_at=match.starts_at),
        outcomes=tuple(outcomes),
        opens_at=None,
        closes_at=match.starts_at,
        accepts_orders=False,
        closed=match.status not in ("scheduled", "postponed"),
        fee_rate=ZERO,
        tick_size=ZERO,
        min_units=ZERO,
        volume=ZERO,
    )


def _question(match: MatchRecord, kind: str, line: Decimal | None) -> str:
    if kind == "over_under":
        return f"more than {line:f} in all?"
    return f"who wins with {match.home} at {line:+f}?" if kind == "asian_handicap" else "who wins?"


def _label(match: MatchRecord, outcome: str, line: Decimal | None) -> str:
    if outcome in ("over", "under"):
        return f"{outcome.capitalize()} {line:f}"
    if outcome == "draw":
        return "Draw"
    name, handicap = (match.home, line) if outcome == "home" else (match.away, None if line is None else -line)
    return name[:100] if handicap is None else f"{name[:100]} {handicap + 0:+f}"


def resolution_of(
    match: MatchRecord, kind: str, line: Decimal | None, *, kick_off: datetime, now: datetime
) -> records.ResolutionRecord | None:
    """Return how a market of this match ended, or None while it has not, or its score is not known for certain.

    `kick_off` is the one that the market was made for: a postponed match may have been given another since.
    """
    if match.status in NOT_PLAYED_OUT or (match.status == "postponed" and now >= kick_off + POSTPONED_MAX):
        return records.ResolutionRecord(status="void", payouts=())
    if match.status != "finished" or match.home_score is None or match.away_score is None:
        return None
    winner = winner_of(kind, line, match.home_score, match.away_score)
    if winner is None:
        return records.ResolutionRecord(status="void", payouts=())
    return records.ResolutionRecord(status="final", payouts=tuple(ONE if name == winner else ZERO for name in OUTCOMES[kind]))


def winner_of(kind: str, line: Decimal | None, home: int, away: int) -> str | None:
    """Return the outcome that wins at this score, or None where stakes are given back, in whole or in part."""
    if kind == "1x2":
        return "home" if home > away else "away" if away > home else "draw"
    margin = Decimal(home + away if kind == "over_under" else home - away)
    # A handicap helps the home team, a line of goals stands against "over".
    lean = -(line or ZERO) if kind == "over_under" else (line or ZERO)
    signs = {_sign(margin + half) for half in halves(lean)}
    first, second = OUTCOMES[kind]
    return {1: first, -1: second}.get(signs.pop()) if len(signs) == 1 else None


def halves(line: Decimal) -> Iterable[Decimal]:
    """Return the line itself, or the two that a quarter line stands between."""
    return (line,) if (line * 2) % 1 == 0 else (line - QUARTER, line + QUARTER)


def _sign(number: Decimal) -> int:
    return (number > 0) - (number < 0)
