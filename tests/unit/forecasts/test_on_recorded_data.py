"""The forecasters on real books and real daily closes, as shipped in the packages of the recorded world."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest

from apps.forecasts.forecasters import thresholds
from apps.forecasts.forecasters.book import SPREAD_MAX, Ladder, consensus, opinion
from apps.forecasts.forecasters.thresholds import Series
from apps.sources.world.tape import load_tape

resolvedkit = pytest.importorskip("resolvedkit", reason="the package with recorded order books is not installed")


def recorded_ladders():
    """Return (up, down) ladders of every seventh recorded moment."""
    pandas = pytest.importorskip("pandas")
    books = pandas.read_parquet(Path(resolvedkit.__file__).parent / "sample_data" / "books.parquet")
    moments = sorted(set(zip(books.market_id, books.ts, strict=True)))
    chosen = set(moments[::7])
    sides: dict[tuple[str, int], dict[str, Ladder]] = {}
    for row in books.itertuples():
        if (row.market_id, row.ts) not in chosen:
            continue
        bids = tuple(zip(row.bid_px, row.bid_sz, strict=True))
        asks = tuple(zip(row.ask_px, row.ask_sz, strict=True))
        sides.setdefault((row.market_id, row.ts), {})[row.side] = Ladder(bids, asks, 0.0)
    return [(pair.get("UP"), pair.get("DOWN")) for pair in sides.values()]


def test_every_recorded_book_has_a_price_and_most_have_an_opinion():
    priced = opined = seen = 0
    for up, down in recorded_ladders():
        seen += 1
        price = consensus(up, down, age_max_s=300.0, remembered=None)
        said = opinion(up, down, life_left=0.5, age_max_s=300.0)
        if price is not None:
            priced += 1
            assert 0 <= price.price <= 1
        if said is not None:
            opined += 1
            assert price is not None
            # The two books of a pair are recorded moments apart, so the combined mid is a little off the opinion's own.
            assert abs(said - price.price) <= 2 * SPREAD_MAX
    assert seen > 2_500
    assert priced / seen > 0.99
    assert opined / seen > 0.85


@pytest.mark.parametrize(("symbol", "least"), [("^GSPC", 0.005), ("^IXIC", 0.0), ("CL=F", 0.0)])
def test_the_threshold_model_beats_climatology_on_real_closes(symbol, least):
    bars, ahead, gains = load_tape(300).series[symbol].bars, 5, []
    for end in range(1000, len(bars) - ahead, 60):
        history = bars[end - 750 : end]
        series = Series(*(np.array([getattr(bar, side) for bar in history]) for side in ("close", "high", "low")))
        fitted = thresholds.fit(series, ahead=ahead)
        assert fitted is not None
        for sigmas in (-1, 0, 1):
            move = sigmas * float(fitted.past.in_order.std())
            came_true = bars[end - 1 + ahead].close > series.last * float(np.exp(move))
            model = thresholds.mean_logit(np.array([part.chance_above(move) for part in fitted.models]))
            base = fitted.past.chance_above(move)
            gains.append(log(model / base) if came_true else log((1 - model) / (1 - base)))
    assert len(gains) > 150
    assert float(np.mean(gains)) > least
