"""A source's catalogue into the store: events, markets, outcomes, and how they ended."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from apps.audit import services as audit
from apps.core.db import durable, lock_for_transaction, transaction
from apps.markets import selectors
from apps.markets.listing import (
    TRIVIAL,
    changed_fields,
    event_fields,
    fault_of_listing,
    is_due_to_be_seen,
    is_of_future,
    is_older,
    market_fields,
)
from apps.markets.models import Event, Market, Outcome
from apps.markets.services.resolution import resolve_from_source
from apps.markets.types import CatalogueCounts
from apps.sources import services as sources

if TYPE_CHECKING:
    from apps.sources.types import Batch, EventRecord, MarketRecord

log = structlog.get_logger(__name__)

EVENT_FIELDS = ("title", "category", "starts_at", "closes_at")


@dataclass(slots=True)
class Changes:
    """What one listing changes: rows to make, rows to write, and what is worth telling."""

    created: list[Market] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    written: list[Market] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)
    events: list[str] = field(default_factory=list)  # "key:created", "key:closed", "key:changed"
    changed: int = 0
    refused: set[str] = field(default_factory=set)


@durable
def refresh_catalogue(*, source: str, now: datetime, by: str) -> CatalogueCounts:
    """Fetch the open markets of a source and the state of those whose end is awaited, and store what changed.

    Awaited are closed markets, those past their close, those that ended lately, and those that a whole listing no longer
    names. Nothing is done when another is at it. In a worker it is done in parts (`sources.run_errand`); then the counts are
    those of the last one.
    """
    work = partial(_refresh, source=source, now=now, by=by)
    return sources.run_errand(name=f"markets.catalogue.{source}", work=work, idle=CatalogueCounts(), now=now)


def _refresh(*, source: str, now: datetime, by: str) -> CatalogueCounts:
    counts = CatalogueCounts()

    def store_listing() -> list[str]:
        nonlocal counts
        listing = sources.fetch_markets(source=source, now=now, by=by)
        counts = store_markets(source=source, batch=listing, now=now, by=by)
        return _keys_awaited(source, listing, now=now)

    # Decided once: the listing is neither read nor stored again for each part of the look-ups.
    keys = sources.once(what="keys", decide=store_listing)
    if not keys:
        return counts
    states = sources.fetch_market_states(source=source, keys=keys, now=now, by=by)
    return counts.plus(store_markets(source=source, batch=states, now=now, by=by))


def _keys_awaited(source: str, listing: Batch[MarketRecord], *, now: datetime) -> list[str]:
    awaited = selectors.market_keys_to_watch(source=source, now=now)
    if listing.stale:
        return list(awaited)
    listed = {record.key for record in listing.records} | set(awaited)
    still_open = Market.objects.filter(source=source, state="open").order_by("closes_at")
    vanished = [key for key in still_open.values_list("source_key", flat=True) if key not in listed]
    return [*awaited, *vanished][: selectors.MARKETS_WATCHED_MAX]


@transaction
def store_markets(*, source: str, batch: Batch[MarketRecord], now: datetime, by: str) -> CatalogueCounts:
    """Store the markets of one answer by their source keys, and believe their ends where the gates let them.

    Unchanged rows are not written. A market that the vendor described later already is older and changes nothing; one
    whose outcomes changed or belong to another one, or that was said in the future, is refused and logged. The end of
    neither is believed.
    """
    lock_for_transaction(f"markets.catalogue.{source}")
    listed = {record.key: record for record in batch.records}
    stored = _stored_markets(source, listed)
    # What an answer says was true when it came, which is a little after the tick began.
    told_at = max(now, batch.fetched_at)
    newer = {key: record for key, record in listed.items() if key not in stored or not is_older(record, stored[key].vendor_at)}
    future = {key for key, record in newer.items() if is_of_future(record, told_at)}
    records = {key: record for key, record in newer.items() if key not in future}
    event_ids = _store_events(source, [record.event for record in records.values()], now=now)
    changes = _compare(source, records, stored, event_ids, now=now)
    _refuse(changes, source, future, "described in the future")
    _write(changes)
    ids = {key: market.id for key, market in stored.items()} | {market.source_key: market.id for market in changes.created}
    believed = {key: record for key, record in records.items() if key not in changes.refused}
    results = _resolve(believed, ids, is_stale=batch.stale, now=told_at, by=by)
    if changes.events:
        _tell(changes, source=source, now=now, by=by)
    return _count(changes, listed=len(listed), older=len(listed) - len(newer), results=results, rejected=len(batch.rejected))


def _store_events(source: str, events: Sequence[EventRecord], *, now: datetime) -> dict[str, str]:
    """Make and update events, and return their ids by source key."""
    by_key = {event.key: event for event in events}
    stored = {row.source_key: row for row in Event.objects.filter(source=source, source_key__in=by_key)}
    new, changed = [], []
    for key, event in by_key.items():
        fields = event_fields(event)
        if key not in stored:
            new.append(Event(source=source, source_key=key, created_at=now, **{"title": key, **fields}))
        elif changed_fields(stored[key], fields):
            changed.append(_set(stored[key], fields))
    Event.objects.bulk_create(new)
    Event.objects.bulk_update(changed, EVENT_FIELDS, batch_size=500)
    return {row.source_key: row.id for row in (*stored.values(), *new)}


def _stored_markets(source: str, records: dict[str, MarketRecord]) -> dict[str, Market]:
    """Lock the stored markets among the listed ones, in the order of their ids, and return them by source key."""
    rows = Market.objects.filter(source=source, source_key__in=records).order_by("id")
    return {row.source_key: row for row in rows.select_for_update(no_key=True).prefetch_related("outcomes")}


def _compare(
    source: str, records: dict[str, MarketRecord], stored: dict[str, Market], event_ids: dict[str, str], *, now: datetime
) -> Changes:
    changes = Changes()
    new = [record for key, record in records.items() if key not in stored]
    taken = _keys_in_use(new)
    for record in records.values():
        row = stored.get(record.key)
        outcome_keys = tuple(outcome.source_key for outcome in row.outcomes.all()) if row else None
        fault = fault_of_listing(record, outcome_keys=outcome_keys, taken=taken)
        if fault:
            _refuse(changes, source, {record.key}, fault)
        elif row is None:
            _make(changes, source, record, event_ids[record.event.key], now=now)
            taken.update(outcome.key for outcome in record.outcomes)
        else:
            _change(changes, row, market_fields(record, event_id=event_ids[record.event.key], state=row.state), now=now)
    return changes


def _refuse(changes: Changes, source: str, keys: set[str], reason: str) -> None:
    changes.refused |= keys
    for key in sorted(keys):
        log.warning("market_refused", source=source, key=key, reason=reason)


def _keys_in_use(new: Sequence[MarketRecord]) -> set[str]:
    """Return which outcome keys of the new markets already belong to stored outcomes."""
    keys = [outcome.key for record in new for outcome in record.outcomes if outcome.key]
    return set(Outcome.objects.filter(source_key__in=keys).values_list("source_key", flat=True)) if keys else set()


def _make(changes: Changes, source: str, record: MarketRecord, event_id: str, *, now: datetime) -> None:
    fields = market_fields(record, event_id=event_id, state="open")
    market = Market(source=source, source_key=record.key, pays="binary", created_at=now, last_seen_at=now, **fields)
    changes.created.append(market)
    for position, outcome in enumerate(record.outcomes):
        named = {"source_key": outcome.key, "label": outcome.label[:120]}
        changes.outcomes.append(Outcome(market=market, position=position, **named))
    changes.events.append(f"{record.key}:created")


def _change(changes: Changes, row: Market, fields: dict[str, Any], *, now: datetime) -> None:
    """Note what a listing changes in a stored market; write an unchanged one only now and then."""
    changed = changed_fields(row, fields)
    if not changed and not is_due_to_be_seen(row.last_seen_at, now=now):
        return
    changes.written.append(_set(row, {**fields, "last_seen_at": now}))
    changes.fields.update(changed, {"last_seen_at"})
    changes.changed += bool(changed)
    if set(changed) - TRIVIAL:
        changes.events.append(f"{row.source_key}:{row.state if 'state' in changed else 'changed'}")


def _set(row: Any, fields: dict[str, Any]) -> Any:
    for name, value in fields.items():
        setattr(row, name, value)
    return row


def _write(changes: Changes) -> None:
    Market.objects.bulk_create(changes.created, batch_size=1000)
    Outcome.objects.bulk_create(changes.outcomes, batch_size=1000)
    if changes.written:
        Market.objects.bulk_update(changes.written, sorted(changes.fields), batch_size=500)


def _resolve(records: dict[str, MarketRecord], ids: dict[str, str], *, is_stale: bool, now: datetime, by: str) -> int:
    """Hand what the source says about ends to the gates, and return how many results are new."""
    said = [(ids[key], record) for key, record in records.items() if record.resolution is not None and key in ids]
    results = [
        resolve_from_source(
            market_id=market_id, resolution=record.resolution, is_closed=record.closed, is_stale=is_stale, now=now, by=by
        )
        for market_id, record in said
        if record.resolution is not None
    ]
    return sum(1 for result in results if result is not None)


def _count(changes: Changes, *, listed: int, older: int, results: int, rejected: int) -> CatalogueCounts:
    created = len(changes.created)
    return CatalogueCounts(
        listed=listed,
        created=created,
        changed=changes.changed,
        unchanged=listed - created - changes.changed - len(changes.refused) - older,
        refused=len(changes.refused),
        older=older,
        results=results,
        rejected=rejected,
    )


def _tell(changes: Changes, *, source: str, now: datetime, by: str) -> None:
    """Write one audit event for the batch."""
    told = sorted(changes.events)
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()
    kinds = {kind: sum(1 for line in told if line.endswith(f":{kind}")) for kind in ("created", "closed", "open", "changed")}
    audit.record(action="catalogue.stored", subject=source, by=by, now=now, detail={**kinds, "digest": digest})
