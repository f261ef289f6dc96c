"""A few markets, books and bars, stored as the desk stores them, for tests of forecasts and signals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import numpy as np

from apps.markets import services as markets
from apps.markets.models import Candle, Event, Instrument, Market, Outcome, Result
from apps.sources.types import BookRecord, Level

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIFE = timedelta(minutes=15)
_numbers = count(1)


def make_event(category="crypto"):
    number = next(_numbers)
    return Event.objects.create(
        source="polymarket_gamma", source_key=f"event-{number}", title=f"Event {number}", category=category, created_at=NOW
    )


def make_market(*, event=None, closes_at=NOW + timedelta(minutes=10), **fields):
    """Make a market with a pair of outcomes, as the catalogue would."""
    number = next(_numbers)
    event = event or make_event()
    given = {
        "source": "polymarket_gamma",
        "category": event.category,
        "pays": "binary",
        "accepts_orders": True,
        "opens_at": closes_at - LIFE,
        "fee_rate": Decimal("0.07"),
        "tick_size": Decimal("0.01"),
        "min_units": Decimal(5),
        **fields,
    }
    market = Market.objects.create(
        event=event,
        source_key=f"market-{number}",
        slug=f"market-{number}",
        question=f"Question {number}?",
        closes_at=closes_at,
        last_seen_at=NOW,
        created_at=NOW - LIFE,
        **given,
    )
    labels = ("Up", "Down") if given["pays"] == "binary" else ("Close",)
    for position, label in enumerate(labels):
        key = f"token-{number}-{position}" if given["source"] != "desk" else ""
        Outcome.objects.create(market=market, position=position, source_key=key, label=label)
    return market


def outcomes_of(market):
    return list(market.outcomes.order_by("position"))


def quote(market, bid="0.50", ask="0.52", *, bid_units="300", ask_units="100", at=NOW):
    """Store a book of the first outcome and its mirror of the second, through the loader."""
    first, second = outcomes_of(market)
    bids, asks = _levels((bid, bid_units)), _levels((ask, ask_units))
    mirrored = (_mirror(asks), _mirror(bids))
    books = [_book(first, bids, asks, at), _book(second, *mirrored, at)]
    return markets.store_books(source="polymarket_clob", books=books, now=at, by="test")


def _levels(*rungs):
    return tuple(Level(Decimal(price), Decimal(units)) for price, units in rungs if price is not None)


def _mirror(levels):
    return tuple(Level(1 - level.price, level.units) for level in levels)


def _book(outcome, bids, asks, at):
    digest = f"{outcome.id}{bids}{asks}"[-64:]
    return BookRecord(outcome_key=outcome.source_key, bids=bids, asks=asks, vendor_at=at, received_at=at, digest=digest)


def make_instrument(symbol="^GSPC", *, bars=750, spacing=timedelta(seconds=5), seed=1, until=NOW):
    """Make an instrument with a random walk whose last bar closes at `until`."""
    instrument = Instrument.objects.create(
        source="yahoo", symbol=symbol, name=symbol, kind="index", currency="USD", created_at=NOW
    )
    rng = np.random.default_rng(seed)
    closes = 2000 * np.exp(np.cumsum(rng.normal(0, 0.01, bars)))
    Candle.objects.bulk_create(
        _bar(instrument, until - spacing * (bars - 1 - index), close) for index, close in enumerate(closes)
    )
    return instrument


def add_bar(instrument, closes_at, close):
    _bar(instrument, closes_at, close).save()


def _bar(instrument, closes_at, close):
    price = Decimal(f"{close:.4f}")
    return Candle(
        instrument=instrument,
        closes_at=closes_at,
        open=price,
        high=price * Decimal("1.005"),
        low=price * Decimal("0.995"),
        close=price,
        is_final=True,
        received_at=closes_at,
    )


def last_close(instrument):
    return instrument.candles.order_by("-closes_at").first().close


def make_threshold(instrument, *, factor="1.0", horizon_bars=5, spacing=timedelta(seconds=5), event=None):
    return make_market(
        event=event or make_event("index"),
        source="desk",
        instrument=instrument,
        threshold=(last_close(instrument) * Decimal(factor)).quantize(Decimal("0.01")),
        horizon_bars=horizon_bars,
        closes_at=NOW + spacing * horizon_bars,
        accepts_orders=False,
    )


def make_horizon(instrument, *, horizon_bars=5, spacing=timedelta(seconds=5), event=None):
    return make_market(
        event=event or make_event("index"),
        source="desk",
        pays="linear",
        instrument=instrument,
        horizon_bars=horizon_bars,
        closes_at=NOW + spacing * horizon_bars,
        accepts_orders=False,
    )


def resolve(market, *payouts, revision=1, kind="final", at=NOW + timedelta(minutes=11)):
    """Store a result with these payouts in the order of the outcomes; a void one without any."""
    paid = {outcome.id: str(payout) for outcome, payout in zip(outcomes_of(market), payouts, strict=kind == "final")}
    result = Result.objects.create(market=market, revision=revision, kind=kind, payouts=paid, evidence={}, observed_at=at)
    Market.objects.filter(id=market.id).update(state="resolved" if kind == "final" else "void")
    return result
