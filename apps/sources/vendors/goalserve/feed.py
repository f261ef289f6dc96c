"""From Goalserve's odds and results to the desk's matches and lines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from sys import intern

from apps.sources.errors import BadRow
from apps.sources.gates import odds as gates
from apps.sources.gathering import KEY_LENGTH
from apps.sources.ports import Caller, Gathered
from apps.sources.strict import excerpt_of
from apps.sources.types import NAME_LENGTH, MatchRecord, OddsKind, OddsLine, OddsRecord, Rejected
from apps.sources.vendors.goalserve import client, results, terms, wire
from apps.sources.vendors.goalserve.wire import Frame, Node

STALE_AFTER = timedelta(seconds=30)  # the vendor's own rule: no new timestamp for longer means suspended
BEHIND_MAX, AHEAD_MAX = timedelta(days=3), timedelta(days=400)  # where the kick-off of a match with open odds may lie
REJECTED_MAX = 500  # as many as the quarantine keeps of one answer; an 80 MB answer turned bad must not fill memory
EXCERPT_LENGTH = 300


async def odds(caller: Caller, keys: Sequence[str]) -> Gathered[OddsRecord]:
    """Fetch the odds of these sports ("soccer_10"). Raises BadAnswer when a body goes wrong anywhere."""
    gathered: Gathered[OddsRecord] = Gathered()
    for key in keys:
        reply = await client.odds(caller, key)
        # Tens of megabytes take seconds to read: the event loop belongs to everybody.
        gathered = gathered.plus(await asyncio.to_thread(read_odds, reply.body, reply.received_at))
    return gathered


async def match_results(caller: Caller, keys: Sequence[str]) -> Gathered[MatchRecord]:
    """Fetch the matches of today and yesterday of these sports; a key may also be a list by its path ("soccernew/d-2").

    Sports whose lists have a shape that we do not know are passed over.
    """
    gathered: Gathered[MatchRecord] = Gathered()
    for feed in [feed for key in keys for feed in client.result_lists(key)]:
        reply = await client.results(caller, feed)
        gathered = gathered.plus(await asyncio.to_thread(results.read_results, reply.body))
    return gathered


def read_odds(body: bytes, received_at: datetime) -> Gathered[OddsRecord]:
    """Read a whole answer, one match at a time. Raises BadAnswer."""
    records: list[OddsRecord] = []
    rejected: list[Rejected] = []
    for frame, value in wire.walk(body):
        try:
            found, faults = _read_match(frame, value, received_at)
        except BadRow as error:
            found, faults = None, (_rejected(error, value),)
        if found is not None:
            records.append(found)
        rejected += faults[: REJECTED_MAX - len(rejected)]
    return Gathered(records=tuple(records), rejected=tuple(rejected))


def _read_match(frame: Frame, value: object, received_at: datetime) -> tuple[OddsRecord | None, tuple[Rejected, ...]]:
    """Read one match with its lines; None when it has no odds that we follow. Raises BadRow."""
    row = Node(value)
    match = _match(frame, row)
    if not received_at - BEHIND_MAX <= match.starts_at <= received_at + AHEAD_MAX:
        raise BadRow("the kick-off is too far from today")
    lines, faults = _lines(row, match, now=max(received_at, frame.made_at or received_at))
    if not lines:
        return None, faults
    record, refused = gates.believable(OddsRecord(match=match, lines=tuple(lines), received_at=received_at))
    return record, (*faults, *refused)


def _match(frame: Frame, row: Node) -> MatchRecord:
    key, home, away = row.text("id"), _team(row, "localteam"), _team(row, "visitorteam", "awayteam")
    if not terms.is_key(key):
        raise BadRow("id has not the form of one")
    return MatchRecord(
        key=key,
        sport=frame.sport or "sport",
        league=frame.category.get("name", "")[:NAME_LENGTH],
        home=home,
        away=away,
        starts_at=terms.starts_at(row.text("formatted_date"), row.text("time"), row.text("date")),
        status=terms.status_of(row.text("status")),
    )


def _team(row: Node, *names: str) -> str:
    found = [node.text("name") for name in names for node in row.children(name)]
    if not found or not found[0].strip():
        raise BadRow(f"{names[0]} has no name")
    return found[0].strip()[:NAME_LENGTH]


def _lines(row: Node, match: MatchRecord, *, now: datetime) -> tuple[list[OddsLine], tuple[Rejected, ...]]:
    """Read the lines of every market that we follow; a bookmaker that cannot be read does not harm the others."""
    lines: list[OddsLine] = []
    faults: list[Rejected] = []
    for market in _markets(row):
        kind = terms.kind_of(market.text("value") or market.text("name"), match.sport)
        for bookmaker in market.children("bookmakers", "bookmaker") if kind else ():
            try:
                lines += _offer(market, bookmaker, kind or "1x2", match.sport, now)
            except BadRow as error:
                name = f"{match.key} {kind} {bookmaker.text('name')}"
                faults.append(Rejected(reason=error.reason, excerpt=name, key=name[:KEY_LENGTH]))
    return lines, tuple(faults)


def _markets(row: Node) -> Iterator[Node]:
    """Yield the markets: entries of `odds`, or of the `type` inside it."""
    for entry in row.children("odds"):
        yield from entry.children("type") or (entry,)


def _offer(market: Node, bookmaker: Node, kind: OddsKind, sport: str, now: datetime) -> list[OddsLine]:
    """Read what one bookmaker offers on one market. Raises BadRow."""
    said_at = wire.moment_or_none(bookmaker.text("ts")) or wire.moment_or_none(market.text("ts"))
    suspended = market.has_stopped() or bookmaker.has_stopped() or (said_at is not None and now - said_at > STALE_AFTER)
    name = intern(bookmaker.text("name").strip()[:60])
    if not name:
        raise BadRow("a bookmaker has no name")
    groups = (bookmaker, *bookmaker.children("totals", "total"), *bookmaker.children("handicaps", "handicap"))
    found = [(group, odd, terms.outcome_of(odd.text("name"))) for group in groups for odd in group.children("odds", "odd")]
    if kind == "1x2" and sport != "soccer" and not any(outcome == "draw" for _, _, outcome in found):
        kind = "moneyline"
    return [
        OddsLine(
            kind=kind,
            outcome=outcome,
            bookmaker=name,
            odds=terms.odds_of(odd.text("value")),
            line=None if kind in ("1x2", "moneyline") else terms.line_of(_line_text(group, odd)),
            suspended=suspended or group.has_stopped() or odd.has_stopped(),
            vendor_at=said_at,
        )
        for group, odd, outcome in found
    ]


def _line_text(group: Node, odd: Node) -> str:
    """Return the line as the odd names it ("Over 2.5"), or as the total or handicap around it does."""
    return odd.text("handicap") or odd.text("name").partition(" ")[2].strip() or group.text("name")


def _rejected(error: BadRow, value: object) -> Rejected:
    key = value.get("id", value.get("@id", "")) if isinstance(value, dict) else ""
    text = key if isinstance(key, str) else ""
    return Rejected(reason=error.reason, excerpt=_beginning(value), key=excerpt_of(text.encode("utf-8", "replace"))[:KEY_LENGTH])


def _beginning(value: object) -> str:
    """Return what a row says of itself, without the thousands of odds inside it."""
    short = {name: part for name, part in value.items() if not isinstance(part, list)} if isinstance(value, dict) else value
    return excerpt_of(short)[:EXCERPT_LENGTH]
