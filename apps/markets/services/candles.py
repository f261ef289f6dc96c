"""Bars into the store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from apps.audit import services as audit
from apps.core import bell
from apps.core.db import durable, transaction
from apps.markets.models import Candle, Instrument
from apps.markets.restating import Compared, Doubt, doubt_of, is_adjustment
from apps.markets.services.resolution import restate_rolled
from apps.markets.spacing import SPACINGS, is_double
from apps.markets.types import CandleCounts
from apps.sources import services as sources

if TYPE_CHECKING:
    from apps.sources.types import CandleRecord, InstrumentRecord

PRICES = ("open", "high", "low", "close")
CHANGEABLE = (*PRICES, "volume", "is_final", "received_at")
BARS_AGAIN = 30
DESCRIPTION = ("name", "kind", "currency", "note")


@dataclass(slots=True)
class Changes:
    """The bars of one fetch by what they change."""

    created: list[Candle] = field(default_factory=list)
    updated: list[Candle] = field(default_factory=list)
    restated: list[Candle] = field(default_factory=list)
    unchanged: int = 0
    doubles: int = 0
    invalid: int = 0

    @property
    def has_new_final(self) -> bool:
        """Tell whether a bar became final, which is a new price of the instrument."""
        return any(bar.is_final for bar in (*self.created, *self.updated)) or bool(self.restated)


@durable
def refresh_candles(*, source: str, symbol: str, now: datetime, by: str) -> CandleCounts:
    """Fetch an instrument with its bars and store what changed; nothing when another is at it.

    When the newest bars are adjusted (a split), the whole history is asked for, so that all of it is.
    """
    work = partial(_refresh, source=source, symbol=symbol, now=now, by=by)
    return sources.run_errand(name=f"markets.candles.{source}.{symbol}", work=work, idle=CandleCounts(), now=now)


def _refresh(*, source: str, symbol: str, now: datetime, by: str) -> CandleCounts:
    since = _since(source, symbol)
    instrument, batch = sources.fetch_candles(source=source, symbol=symbol, now=now, by=by, since=since)
    if since is not None and _is_adjusted(source, symbol, batch.records):
        instrument, batch = sources.fetch_candles(source=source, symbol=symbol, now=now, by=by)
    rejected = len(batch.rejected)
    return store_candles(source=source, instrument=instrument, bars=batch.records, now=now, by=by, rejected=rejected)


def _since(source: str, symbol: str) -> datetime | None:
    """Return from where to ask again: a few bars back, so that late restatements are seen; None for the whole history."""
    stored = Candle.objects.filter(instrument__source=source, instrument__symbol=symbol).order_by("-closes_at")
    return stored.values_list("closes_at", flat=True)[BARS_AGAIN:][:1].first()


def _is_adjusted(source: str, symbol: str, bars: Sequence[CandleRecord]) -> bool:
    row = Instrument.objects.filter(source=source, symbol=symbol).first()
    return row is not None and is_adjustment(_compared(_stored(row, bars), bars))


@transaction
def store_candles(
    *, source: str, instrument: InstrumentRecord, bars: Sequence[CandleRecord], now: datetime, by: str, rejected: int = 0
) -> CandleCounts:
    """Store the bars of one answer.

    A bar that is not final follows the vendor, and vanishes when the answer no longer has it. A final bar never goes
    back to being unfinished; when its prices change it is counted as restated, written to the audit log, and the rolled
    markets that it valued are resolved again. An answer that contradicts what is stored changes none of it, is counted as
    invalid, and goes into the quarantine.
    """
    row = _locked(source, instrument, now=now)
    stored = _stored(row, bars)
    doubt, newer = _doubt_of(row, stored, bars)
    if doubt:
        sources.doubt(
            source=source, operation="candles", reason=doubt.reason, excerpt=doubt.excerpt, key=row.symbol, now=now, by=by
        )
    believed = bars if doubt is None else newer if doubt.keeps_newer else ()
    if not believed and bars:
        return CandleCounts(seen=len(bars), invalid=len(bars), rejected=rejected)
    _describe(row, instrument)
    changes = _compare(row, believed, stored, now=now)
    changes.invalid += len(bars) - len(believed)
    Candle.objects.bulk_create(changes.created)
    Candle.objects.bulk_update([*changes.updated, *changes.restated], CHANGEABLE, batch_size=1000)
    _drop_ghosts(row, believed)
    if changes.restated:
        restate_rolled(bars=changes.restated, now=now, by=by)
    if changes.has_new_final:
        _tell(row, changes, now=now, by=by)
    return _count(changes, seen=len(bars), rejected=rejected)


def _locked(source: str, instrument: InstrumentRecord, *, now: datetime) -> Instrument:
    """Find or make the instrument and lock it against other loaders."""
    described = {name: getattr(instrument, name) for name in DESCRIPTION}
    row, _ = Instrument.objects.select_for_update(no_key=True).get_or_create(
        source=source, symbol=instrument.symbol, defaults={**described, "created_at": now}
    )
    return row


def _stored(instrument: Instrument, bars: Sequence[CandleRecord]) -> dict[datetime, Candle]:
    """Return the stored bars of the same moments."""
    return {row.closes_at: row for row in instrument.candles.filter(closes_at__in={bar.closes_at for bar in bars})}


def _doubt_of(
    instrument: Instrument, stored: dict[datetime, Candle], bars: Sequence[CandleRecord]
) -> tuple[Doubt | None, tuple[CandleRecord, ...]]:
    """Return the doubt about an answer, and its bars that are newer than every final one that is stored."""
    finals = instrument.candles.filter(is_final=True).order_by("-closes_at")
    newest = finals.values_list("closes_at", flat=True).first()
    newer = tuple(bar for bar in bars if newest is None or bar.closes_at > newest)
    return doubt_of(_compared(stored, bars), newer=sum(bar.final for bar in newer)), newer


def _compared(stored: dict[datetime, Candle], bars: Sequence[CandleRecord]) -> list[Compared]:
    """Return the final bars that both sides have, oldest first."""
    sound = {bar.closes_at: bar for bar in bars if bar.final and _is_sound(bar)}
    common = sorted(moment for moment in sound if moment in stored and stored[moment].is_final)
    return [Compared(moment, _prices(stored[moment]), _prices(sound[moment])) for moment in common]


def _prices(bar: Candle | CandleRecord) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return bar.open, bar.high, bar.low, bar.close


def _describe(row: Instrument, instrument: InstrumentRecord) -> None:
    """Keep the instrument's description as the vendor gives it."""
    described = {name: getattr(instrument, name) for name in DESCRIPTION}
    if any(getattr(row, name) != value for name, value in described.items()):
        Instrument.objects.filter(id=row.id).update(**described)


def _compare(instrument: Instrument, bars: Sequence[CandleRecord], stored: dict[datetime, Candle], *, now: datetime) -> Changes:
    by_moment = {bar.closes_at: bar for bar in bars}
    finals = instrument.candles.filter(is_final=True).order_by("-closes_at").values_list("closes_at", flat=True)
    known = sorted(finals[: len(bars) + SPACINGS])
    changes = Changes()
    for moment, bar in by_moment.items():
        if moment not in stored and is_double(moment, known):
            changes.doubles += 1
        else:
            _place(changes, stored.get(moment), bar, instrument, now)
    return changes


def _place(changes: Changes, stored: Candle | None, bar: CandleRecord, instrument: Instrument, now: datetime) -> None:
    """Put one bar where it belongs among the changes."""
    if not _is_sound(bar):
        changes.invalid += 1
    elif stored is None:
        changes.created.append(_write(Candle(instrument=instrument, closes_at=bar.closes_at), bar, now))
    elif _is_same(stored, bar) or (stored.is_final and not bar.final):
        changes.unchanged += 1
    elif stored.is_final and any(getattr(stored, name) != getattr(bar, name) for name in PRICES):
        changes.restated.append(_write(stored, bar, now))
    else:
        changes.updated.append(_write(stored, bar, now))


def _is_sound(bar: CandleRecord) -> bool:
    """Tell whether the prices of a bar do not contradict each other; a price below zero is possible (oil, April 2020)."""
    prices = (bar.open, bar.high, bar.low, bar.close)
    return all(price.is_finite() for price in prices) and bar.low == min(prices) and bar.high == max(prices)


def _is_same(stored: Candle, bar: CandleRecord) -> bool:
    is_same_price = all(getattr(stored, name) == getattr(bar, name) for name in PRICES)
    return is_same_price and stored.volume == bar.volume and stored.is_final == bar.final


def _write(row: Candle, bar: CandleRecord, now: datetime) -> Candle:
    for name in (*PRICES, "volume"):
        setattr(row, name, getattr(bar, name))
    row.is_final = bar.final
    row.received_at = now
    return row


def _drop_ghosts(instrument: Instrument, bars: Sequence[CandleRecord]) -> None:
    """Delete unfinished bars that the answer no longer has: vendors stamp a running bar with the time of its last trade."""
    if bars:
        moments = [bar.closes_at for bar in bars]
        running = instrument.candles.filter(is_final=False, closes_at__gte=min(moments))
        running.exclude(closes_at__in=moments).delete()


def _count(changes: Changes, *, seen: int, rejected: int) -> CandleCounts:
    return CandleCounts(
        seen=seen,
        created=len(changes.created),
        updated=len(changes.updated),
        unchanged=changes.unchanged,
        restated=len(changes.restated),
        doubles=changes.doubles,
        invalid=changes.invalid,
        rejected=rejected,
    )


def _tell(instrument: Instrument, changes: Changes, *, now: datetime, by: str) -> None:
    """Write one audit event for the batch and wake the forecasters."""
    bars = sorted((*changes.created, *changes.updated, *changes.restated), key=lambda bar: bar.closes_at)
    lines = "\n".join(f"{bar.closes_at.isoformat()}:{bar.close:f}:{bar.is_final}" for bar in bars)
    detail = {
        "created": len(changes.created),
        "updated": len(changes.updated),
        "restated": [bar.closes_at.isoformat() for bar in changes.restated],
        "digest": hashlib.sha256(lines.encode()).hexdigest(),
    }
    action = "candles.restated" if changes.restated else "candles.stored"
    audit.record(action=action, subject=instrument.id, by=by, now=now, detail=detail)
    bell.ring("tasks.forecast.due")
