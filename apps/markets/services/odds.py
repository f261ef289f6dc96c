"""Bookmakers' odds into the store: matches as events, offers as markets, and every change of odds as a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from apps.audit import services as audit
from apps.core.db import durable, lock_for_transaction, transaction
from apps.core.rows import copy_rows
from apps.markets import sports
from apps.markets.listing import PRICE_GRID, on_grid
from apps.markets.models import BookmakerOdds, Market, Outcome
from apps.markets.services.catalogue import store_markets
from apps.markets.types import OddsCounts
from apps.sources import services as sources
from apps.sources.types import Batch

if TYPE_CHECKING:
    from apps.sources.types import OddsLine, OddsRecord

MATCHES_AT_ONCE = 200  # with all their lines some ten thousand rows: a transaction of about a second
LISTED_AGAIN_AFTER = timedelta(hours=1)
COLUMNS = ("outcome_id", "bookmaker", "odds", "is_suspended", "is_closing", "vendor_at", "received_at", "digest")
Place = tuple[str, str, bool]  # outcome id, bookmaker, closing


class Newest(NamedTuple):
    """The newest stored odds of one bookmaker on one outcome."""

    odds: Decimal
    is_suspended: bool
    vendor_at: datetime | None
    received_at: datetime

    def is_newer_than(self, line: OddsLine, received_at: datetime) -> bool:
        """Tell whether a line that came at `received_at` was overtaken on its way."""
        if self.vendor_at is not None and line.vendor_at is not None and line.vendor_at < self.vendor_at:
            return True
        return received_at < self.received_at


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
    work = partial(_refresh, source=source, keys=keys, now=now, by=by)
    return sources.run_errand(name=f"markets.odds.{source}", work=work, idle=OddsCounts(), now=now)


def _refresh(*, source: str, keys: Sequence[str], now: datetime, by: str) -> OddsCounts:
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
    created = _list_markets(source, list(matches.values()), batch, now=now, by=by)
    fates = _sort(source, list(matches.values()))
    copy_rows("markets_bookmakerodds", COLUMNS, fates.rows)
    counts = OddsCounts(
        matches=len(matches),
        markets=created,
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


def _list_markets(source: str, matches: Sequence[OddsRecord], batch: Batch[OddsRecord], *, now: datetime, by: str) -> int:
    """Bring the markets of these matches into the catalogue and return how many are new.

    One that is stored for the same kick-off in the same state is listed again once in a while only: thousands of them
    come with every answer.
    """
    markets = {market.key: market for match in matches for market in sports.markets_of(match, source=source)}
    seen_since = now - LISTED_AGAIN_AFTER
    stored = Market.objects.filter(source=source, source_key__in=markets, last_seen_at__gt=seen_since)
    for key, closes_at, state in stored.values_list("source_key", "closes_at", "state"):
        if markets[key].closes_at == closes_at and markets[key].closed == (state != "open"):
            del markets[key]
    listing = Batch(
        source=source,
        operation="odds",
        records=tuple(markets.values()),
        rejected=batch.rejected,
        fetched_at=batch.fetched_at,
        stale=batch.stale,
    )
    return store_markets(source=source, batch=listing, now=now, by=by).created if markets else 0


def _sort(source: str, matches: Sequence[OddsRecord]) -> Sorted:
    """Sort the lines by fate against the newest stored odds of their outcomes."""
    said = [(sports.outcome_key(source, match.match.key, line), match, line) for match in matches for line in match.lines]
    ids = dict(Outcome.objects.filter(source_key__in={key for key, _, _ in said}).values_list("source_key", "id"))
    known = _newest(ids.values())
    fates = Sorted(seen=len(said))
    for key, match, line in said:
        _add(fates, ids.get(key), line, match.received_at, known)
    return fates


def _newest(outcome_ids: Iterable[str]) -> dict[Place, Newest]:
    """Return the newest stored odds by place; plain rows, for there are ten thousands of them."""
    place = ("outcome_id", "bookmaker", "is_closing")
    rows = BookmakerOdds.objects.filter(outcome_id__in=tuple(outcome_ids)).order_by(*place, "-id").distinct(*place)
    said = rows.values_list(*place, "odds", "is_suspended", "vendor_at", "received_at")
    return {row[:3]: Newest(*row[3:]) for row in said.iterator(chunk_size=10_000)}


def _add(fates: Sorted, outcome_id: str | None, line: OddsLine, received_at: datetime, known: dict[Place, Newest]) -> None:
    if outcome_id is None:
        fates.unknown += 1
        return
    before = known.get((outcome_id, line.bookmaker, line.closing))
    if before is not None and (before.odds, before.is_suspended) == (on_grid(line.odds, PRICE_GRID), line.suspended):
        fates.unchanged += 1
    elif before is not None and before.is_newer_than(line, received_at):
        fates.older += 1
    else:
        row = (line.odds, line.suspended, line.closing, line.vendor_at, received_at, sports.digest_of(line))
        fates.rows.append((outcome_id, line.bookmaker, *row))


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
