"""Making the horizon and threshold markets on the instruments."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from apps.audit import services as audit
from apps.core import bell
from apps.core.db import durable, lock_for_transaction, only_one, transaction
from apps.markets import selectors
from apps.markets.models import Event, Market, Outcome
from apps.markets.rolling import HORIZONS_BARS, RolledSet, sets_to_roll
from apps.markets.services.resolution import ROLLED_SOURCE
from apps.markets.types import InstrumentView, RollCounts
from apps.markets.wording import question_of, slug_of, title_of

BARS_READ = 120  # the weight of older changes in the volatility is below a thousandth


@durable
def roll_markets(*, now: datetime, by: str) -> RollCounts:
    """Make the next sets of rolled markets on every instrument; nothing when another is at it."""
    with only_one("markets.roll") as is_ours:
        instruments = selectors.instruments() if is_ours else ()
        made = [roll_instrument(instrument=instrument, now=now, by=by) for instrument in instruments]
    return RollCounts(
        instruments=sum(counts.instruments for counts in made),
        events=sum(counts.events for counts in made),
        markets=sum(counts.markets for counts in made),
    )


@transaction
def roll_instrument(*, instrument: InstrumentView, now: datetime, by: str) -> RollCounts:
    """Make the sets that are due on one instrument: one for each base bar and horizon, however often it is called."""
    lock_for_transaction(f"markets.roll.{instrument.id}")
    bars = selectors.bars(instrument.id, limit=BARS_READ)
    rolled = sets_to_roll(bars, now=now, open_until=_open_until(instrument.id))
    made = [_make(instrument, rolled_set, now=now) for rolled_set in rolled]
    if not made:
        return RollCounts()
    counts = RollCounts(instruments=1, events=len(made), markets=sum(made))
    detail = {"markets": counts.markets, "base_at": rolled[0].base_at, "horizons": [one.horizon_bars for one in rolled]}
    audit.record(action="markets.rolled", subject=instrument.id, by=by, now=now, detail=detail)
    bell.ring("tasks.forecast.due")
    return counts


def _open_until(instrument_id: str) -> dict[int, datetime]:
    """Return the latest close of the instrument's rolled sets by horizon."""
    found: dict[int, datetime] = {}
    for horizon_bars in HORIZONS_BARS:
        rows = Market.objects.filter(instrument_id=instrument_id, horizon_bars=horizon_bars, source=ROLLED_SOURCE)
        closes_at = rows.order_by("-closes_at").values_list("closes_at", flat=True).first()
        if closes_at is not None:
            found[horizon_bars] = closes_at
    return found


def _make(instrument: InstrumentView, rolled_set: RolledSet, *, now: datetime) -> int:
    """Make one event with its linear market and its threshold markets, and return how many markets there are."""
    key = _key_of(instrument, rolled_set)
    is_daily = rolled_set.closes_at - rolled_set.base_at >= timedelta(hours=20)
    title = title_of(instrument.name, rolled_set.closes_at, is_daily=is_daily)
    event = Event.objects.create(
        source=ROLLED_SOURCE, source_key=key, title=title, category=_category_of(instrument), created_at=now,
        starts_at=rolled_set.base_at, closes_at=rolled_set.closes_at,
    )  # fmt: skip
    shared = _shared_fields(instrument, rolled_set, event, now=now)
    linear = Market(pays="linear", source_key=f"{key}:close", slug=slug_of(title, "close"), question=title, **shared)
    thresholds = [
        Market(
            pays="binary",
            source_key=f"{key}:{sigmas:+d}",
            slug=slug_of(title, f"above-{threshold:f}"),
            question=question_of(instrument.name, threshold, rolled_set.closes_at, is_daily=is_daily),
            threshold=threshold,
            **shared,
        )
        for sigmas, threshold in rolled_set.thresholds
    ]
    markets = Market.objects.bulk_create([linear, *thresholds])
    Outcome.objects.bulk_create([outcome for market in markets for outcome in _outcomes(market)])
    return len(markets)


def _key_of(instrument: InstrumentView, rolled_set: RolledSet) -> str:
    return f"{instrument.source}:{instrument.symbol}:{rolled_set.base_at:%Y%m%dT%H%M%S.%f}:{rolled_set.horizon_bars}"


def _category_of(instrument: InstrumentView) -> str:
    return instrument.kind or "instrument"


def _shared_fields(instrument: InstrumentView, rolled_set: RolledSet, event: Event, *, now: datetime) -> dict[str, Any]:
    return {
        "event": event,
        "source": ROLLED_SOURCE,
        "category": _category_of(instrument),
        "instrument_id": instrument.id,
        "horizon_bars": rolled_set.horizon_bars,
        "opens_at": rolled_set.base_at,
        "closes_at": rolled_set.closes_at,
        "last_seen_at": now,
        "created_at": now,
    }


def _outcomes(market: Market) -> list[Outcome]:
    labels = ("Close",) if market.pays == "linear" else ("Yes", "No")
    return [Outcome(market=market, position=position, source_key="", label=label) for position, label in enumerate(labels)]
