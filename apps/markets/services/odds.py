"""Bookmakers' odds into the store: matches as events, offers as markets, and every change of odds as a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apps.audit import services as audit
from apps.core.db import durable, lock_for_transaction, only_one, transaction
from apps.core.rows import copy_rows
from apps.markets import selectors, sports
from apps.markets.models import Outcome
from apps.markets.services.catalogue import store_markets
from apps.markets.types import OddsCounts, OddsView
from apps.sources import services as sources
from apps.sources.types import Batch

if TYPE_CHECKING:
    from apps.sources.types import OddsLine, OddsRecord

MATCHES_AT_ONCE = 200  # with all their lines some ten thousand rows: a transaction of about a second
COLUMNS = ("outcome_id", "bookmaker", "odds", "is_suspended", "is_closing", "vendor_at", "received_at", "digest")
Place = tuple[str, str, bool]  # outcome id, bookmaker, closing


@dataclass(slots=True)
class Sorted:
    """What becomes of the lines of a batch."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    seen: int = 0
    unchanged: int = 0
    older: int = 0
    unknown: int = 0


@durable
def refresh_odds(*, source: str, now: datetime, by: str, keys: Sequence[str] = ()) -> OddsCounts:
    """Fetch the odds of these sports or seasons (by default the source's own) and store what changed.

    Nothing is done when another is at it. Raises what fetches raise.
    """
    with only_one(f"markets.odds.{source}") as is_ours:
        if not is_ours:
            return OddsCounts()
        batch = sources.fetch_odds(source=source, keys=keys, now=now, by=by)
        counts = OddsCounts(rejected=len(batch.rejected))
        for part in _parts(batch):
            counts = counts.plus(store_odds(source=source, batch=part, now=now, by=by))
        return counts


def _parts(batch: Batch[OddsRecord]) -> Iterator[Batch[OddsRecord]]:
    for start in range(0, len(batch.records), MATCHES_AT_ONCE):
        yield replace(batch, records=batch.records[start : start + MATCHES_AT_ONCE], rejected=())


@transaction
def store_odds(*, source: str, batch: Batch[OddsRecord], now: datetime, by: str) -> OddsCounts:
    """Store the matches of a batch, their markets, and the odds that differ from the newest stored ones.

    Odds that the vendor said before the stored ones are older and left out; those of markets that the catalogue refused
    are unknown. One audit event for all.
    """
    lock_for_transaction(f"markets.odds.{source}")
    matches = {record.match.key: record for record in batch.records}
    markets = tuple(market for record in matches.values() for market in sports.markets_of(record, source=source))
    listing = Batch(
        source=source, operation="odds", records=markets, rejected=batch.rejected, fetched_at=batch.fetched_at, stale=batch.stale
    )
    listed = store_markets(source=source, batch=listing, now=now, by=by)
    fates = _sort(source, list(matches.values()))
    copy_rows("markets_bookmakerodds", COLUMNS, fates.rows)
    counts = OddsCounts(
        matches=len(matches),
        markets=listed.created,
        seen=fates.seen,
        stored=len(fates.rows),
        unchanged=fates.unchanged,
        older=fates.older,
        unknown=fates.unknown,
        rejected=len(batch.rejected),
    )
    if fates.rows:
        _tell(counts, fates, source=source, now=now, by=by)
    return counts


def _sort(source: str, matches: Sequence[OddsRecord]) -> Sorted:
    """Sort the lines by fate against the newest stored odds of their outcomes."""
    said = [(sports.outcome_key(source, match.match.key, line), match, line) for match in matches for line in match.lines]
    ids = dict(Outcome.objects.filter(source_key__in={key for key, _, _ in said}).values_list("source_key", "id"))
    known: dict[Place, OddsView] = {
        (view.outcome_id, view.bookmaker, view.is_closing): view
        for views in selectors.latest_odds(ids.values()).values()
        for view in views
    }
    fates = Sorted(seen=len(said))
    for key, match, line in said:
        _add(fates, ids.get(key), line, match.received_at, known)
    return fates


def _add(fates: Sorted, outcome_id: str | None, line: OddsLine, received_at: datetime, known: dict[Place, OddsView]) -> None:
    if outcome_id is None:
        fates.unknown += 1
        return
    before = known.get((outcome_id, line.bookmaker, line.closing))
    if before is not None and _is_same(before, line):
        fates.unchanged += 1
    elif before is not None and _is_older(before, line, received_at):
        fates.older += 1
    else:
        row = (line.odds, line.suspended, line.closing, line.vendor_at, received_at, sports.digest_of(line))
        fates.rows.append((outcome_id, line.bookmaker, *row))


def _is_same(before: OddsView, line: OddsLine) -> bool:
    return before.digest == sports.digest_of(line)


def _is_older(before: OddsView, line: OddsLine, received_at: datetime) -> bool:
    if before.vendor_at is not None and line.vendor_at is not None and line.vendor_at < before.vendor_at:
        return True
    return received_at < before.received_at


def _tell(counts: OddsCounts, fates: Sorted, *, source: str, now: datetime, by: str) -> None:
    lines = sorted(f"{row[0]}:{row[1]}:{row[4]}:{row[-1]}" for row in fates.rows)
    detail = {
        "matches": counts.matches,
        "stored": counts.stored,
        "unchanged": counts.unchanged,
        "refused": counts.older + counts.unknown,
        "digest": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }
    audit.record(action="odds.stored", subject=source, by=by, now=now, detail=detail)
