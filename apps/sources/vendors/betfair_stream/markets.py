"""What a Betfair market is to the desk, and how it ended; pure.

A market with one winner is one market of ours, its runners are the outcomes. A market with several winners (places)
would pay several units together, so each of its runners is a market of its own: Yes it is among them, or No.

Outcomes are the runners of the first definition, for money may hang on them. A runner withdrawn later changes every
bet: its own are void and the odds of the others are cut, which fixed payouts cannot say; such a market is void for us.
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from apps.sources.errors import BadRow
from apps.sources.types import (
    CATEGORY_LENGTH,
    LABEL_LENGTH,
    QUESTION_LENGTH,
    SLUG_LENGTH,
    TITLE_LENGTH,
    EventRecord,
    MarketRecord,
    OutcomeRecord,
    ResolutionRecord,
)
from apps.sources.vendors.betfair_stream.stream import Market
from apps.sources.vendors.betfair_stream.wire import Definition, Runner

ZERO, ONE = Decimal(0), Decimal(1)
PAYOUT_GRID = Decimal("1e-10")
TICK = Decimal("0.0001")  # odds step unevenly; one over two neighbouring odds differs by at least this below odds of 100
GONE = frozenset({"REMOVED", "REMOVED_VACANT", "HIDDEN"})
SPORTS = {
    "1": "soccer",
    "2": "tennis",
    "3": "golf",
    "4": "cricket",
    "5": "rugby union",
    "7": "horse racing",
    "4339": "greyhounds",
    "7522": "basketball",
    "6423": "american football",
    "2378961": "politics",
}


def records_of(market: Market, first: Definition, last: Definition) -> tuple[MarketRecord, ...]:
    """Return our markets of one of theirs. Raises BadRow for kinds that we do not follow."""
    runners = tuple(runner for runner in first.runners if runner.status not in GONE)
    if last.betting_type != "ODDS" or last.winners < 1:
        raise BadRow(f"markets of type {last.betting_type} with {last.winners} winners are not followed")
    if len(runners) < 2:
        raise BadRow("fewer than two runners")
    if not {runner.id for runner in last.runners if runner.status not in GONE} <= {runner.id for runner in runners}:
        raise BadRow("a runner was added after the first definition")
    names = {runner.id: runner.name for runner in last.runners}
    if last.winners == 1:
        outcomes = tuple(OutcomeRecord(key=key_of(market.id, it.id), label=_label(it, names)) for it in runners)
        return (
            _record(market, last, key=market.id, subject="", outcomes=outcomes, resolution=_of_winner(market, runners, last)),
        )
    return tuple(_placed(market, last, runner, runners, names) for runner in runners)


def key_of(market_id: str, runner_id: int, *, is_against: bool = False) -> str:
    """Return the key of an outcome: the runner wins, or (against) it does not."""
    return f"{market_id}:{runner_id}{':no' if is_against else ''}"


def _placed(market: Market, last: Definition, runner: Runner, runners: tuple[Runner, ...], names: dict[int, str]) -> MarketRecord:
    key = key_of(market.id, runner.id)
    against = key_of(market.id, runner.id, is_against=True)
    outcomes = (OutcomeRecord(key=key, label="Yes"), OutcomeRecord(key=against, label="No"))
    resolution = _of_place(market, runner, runners, last)
    return _record(market, last, key=key, subject=_label(runner, names), outcomes=outcomes, resolution=resolution)


def _label(runner: Runner, names: dict[int, str]) -> str:
    return (names.get(runner.id) or runner.name or f"Runner {runner.id}")[:LABEL_LENGTH]


def _record(
    market: Market,
    last: Definition,
    *,
    key: str,
    subject: str,
    outcomes: tuple[OutcomeRecord, ...],
    resolution: ResolutionRecord | None,
) -> MarketRecord:
    sport = SPORTS.get(last.event_type, "sport")[:CATEGORY_LENGTH]
    title = last.event_name or f"Event {last.event_id}"
    name = last.name or last.market_type.replace("_", " ").lower()
    return MarketRecord(
        key=key,
        slug=f"betfair-{key.replace(':', '-')}"[:SLUG_LENGTH],
        question=f"{title}, {name}: {f'is {subject} among the {last.winners}?' if subject else 'who wins?'}"[:QUESTION_LENGTH],
        category=sport,
        event=EventRecord(key=last.event_id, title=title[:TITLE_LENGTH], category=sport, starts_at=last.starts_at),
        outcomes=outcomes,
        opens_at=None,
        closes_at=last.starts_at,
        accepts_orders=last.status == "OPEN" and not last.in_play,
        closed=last.status == "CLOSED",
        # The commission on net winnings costs rate · (1 - p) in a share p of cases: our fee curve rate · p · (1 - p).
        fee_rate=last.base_rate / 100,
        tick_size=TICK,
        min_units=ZERO,
        volume=market.volume,
        resolution=resolution,
        vendor_at=market.said_at,
    )


def _of_winner(market: Market, runners: tuple[Runner, ...], last: Definition) -> ResolutionRecord | None:
    """Return how a market with one winner ended: the winner takes the unit, in a dead heat those who won share it."""
    fates = _fates(runners, last)
    if fates is None:
        return None
    won = [fate == "WINNER" for fate in fates]
    if _is_void(fates) or not any(won):
        return _resolution(market, last, None)
    share = (ONE / sum(won)).quantize(PAYOUT_GRID, rounding=ROUND_DOWN)
    payouts = [share if is_winner else ZERO for is_winner in won]
    payouts[won.index(True)] += ONE - sum(payouts)  # three thirds are one unit: the first winner takes the last grain
    return _resolution(market, last, tuple(payouts))


def _of_place(market: Market, runner: Runner, runners: tuple[Runner, ...], last: Definition) -> ResolutionRecord | None:
    """Return whether a runner is among the winners. More winners than places are a dead heat for the last of them, of
    which the stream does not tell who shares: void."""
    fates = _fates(runners, last)
    if fates is None:
        return None
    winners = sum(fate in ("WINNER", "PLACED") for fate in fates)
    if _is_void(fates) or not 0 < winners <= last.winners:
        return _resolution(market, last, None)
    is_in = fates[runners.index(runner)] in ("WINNER", "PLACED")
    return _resolution(market, last, (ONE, ZERO) if is_in else (ZERO, ONE))


def _fates(runners: tuple[Runner, ...], last: Definition) -> tuple[str, ...] | None:
    """Return what became of each runner, or None while the market is not closed and settled."""
    known = {runner.id: runner.status for runner in last.runners}
    fates = tuple(known.get(runner.id, "REMOVED") for runner in runners)
    return fates if last.status == "CLOSED" and "ACTIVE" not in fates else None


def _is_void(fates: tuple[str, ...]) -> bool:
    return any(fate in GONE for fate in fates)


def _resolution(market: Market, last: Definition, payouts: tuple[Decimal, ...] | None) -> ResolutionRecord:
    ended_at: datetime = last.settled_at or market.said_at
    return ResolutionRecord(status="void" if payouts is None else "final", payouts=payouts or (), resolved_at=ended_at)
