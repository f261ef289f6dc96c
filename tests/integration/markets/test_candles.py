"""Bars in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from apps.audit.models import Event as AuditEvent
from apps.markets import selectors
from apps.markets.errors import InstrumentNotFound
from apps.markets.models import Candle, Instrument
from apps.markets.types import CandleCounts
from apps.sources.models import Quarantine, Source
from tests.integration.markets.making import INSTRUMENT, NOW, candle, store_candles

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def series(count: int):
    return [candle(NOW + index * DAY, str(2000 + index)) for index in range(count)]


def waves(count: int):
    """Bars that move by some percent from day to day."""
    return [candle(NOW + index * DAY, str(2000 + 37 * (index * index % 11))) for index in range(count)]


def kept():
    """All that a refused answer must leave as it is."""
    told = AuditEvent.objects.exclude(action="sources.added").order_by("id")
    return [list(rows.values()) for rows in (Candle.objects.order_by("id"), Instrument.objects.all(), told)]


def closes() -> list[Decimal]:
    return [bar.close for bar in selectors.bars(Instrument.objects.get().id, limit=1000)]


def test_a_first_answer_makes_the_instrument_and_its_bars():
    assert store_candles(*series(3)) == CandleCounts(seen=3, created=3)
    (instrument,) = selectors.instruments()
    assert (instrument.symbol, instrument.name, instrument.kind, instrument.source) == ("^GSPC", "S&P 500", "index", "yahoo")
    assert closes() == [2000, 2001, 2002]


def test_the_same_answer_again_writes_nothing():
    store_candles(*series(3))
    assert store_candles(*series(3), now=NOW + DAY) == CandleCounts(seen=3, unchanged=3)
    assert set(Candle.objects.values_list("received_at", flat=True)) == {NOW}
    assert AuditEvent.objects.filter(action="candles.stored").count() == 1


def test_bars_are_the_newest_oldest_first():
    store_candles(*series(5))
    found = selectors.bars(Instrument.objects.get().id, limit=2)
    assert [bar.close for bar in found] == [2003, 2004]
    assert all(bar.is_final for bar in found)


def test_a_running_bar_follows_the_vendor_until_it_is_final():
    store_candles(candle(NOW, "2000", final=False))
    assert store_candles(candle(NOW, "2005", final=False)) == CandleCounts(seen=1, updated=1)
    assert store_candles(candle(NOW, "2007")) == CandleCounts(seen=1, updated=1)
    bar = Candle.objects.get()
    assert (bar.close, bar.is_final) == (2007, True)


def test_a_running_bar_that_moved_on_leaves_no_ghost():
    store_candles(candle(NOW), candle(NOW + timedelta(hours=23), "2001", final=False))
    store_candles(candle(NOW), candle(NOW + timedelta(hours=23.5), "2002", final=False))
    assert closes() == [2000, 2002]


def test_a_final_bar_never_becomes_unfinished():
    store_candles(candle(NOW, "2000"))
    assert store_candles(candle(NOW, "1990", final=False)) == CandleCounts(seen=1, unchanged=1)
    assert closes() == [2000]


@pytest.mark.parametrize("factor", ["100", "0.01", "10000"])
def test_a_whole_answer_on_another_scale_changes_nothing_and_is_quarantined(factor):
    store_candles(*series(5))
    before = kept()
    scaled = [candle(NOW + index * DAY, f"{Decimal(2000 + index) * Decimal(factor):f}") for index in range(2, 7)]
    named = replace(INSTRUMENT, currency="GBp")
    for hours in (0, 1):
        later = NOW + timedelta(days=7, hours=hours)
        assert store_candles(*scaled, instrument=named, now=later) == CandleCounts(seen=5, invalid=5)
    assert kept() == before
    row = Quarantine.objects.get()
    assert (row.source_id, row.operation, row.row_key, row.seen_count) == ("yahoo", "candles", "^GSPC", 2)
    assert row.reason == "scale: the answer stands ×100 or ×10,000 from what is stored"
    source = Source.objects.get(slug="yahoo")
    assert (source.last_error_at, source.last_error) == (NOW + timedelta(days=7, hours=1), row.reason)


@pytest.mark.parametrize(("new", "old"), [(2, 1), (10, 1), (1, 8)])
def test_a_split_restates_every_bar(new, old):
    store_candles(*series(40))
    split = [candle(NOW + index * DAY, str(Decimal((2000 + index) * new) / old)) for index in range(40)]
    assert store_candles(*split) == CandleCounts(seen=40, restated=40)
    assert closes() == [bar.close for bar in split]
    assert Quarantine.objects.count() == 0


def test_an_answer_whose_moments_moved_by_whole_bars_changes_nothing_and_is_quarantined():
    bars = waves(40)
    store_candles(*bars)
    before = kept()
    moved = [replace(bar, closes_at=bar.closes_at - 7 * DAY) for bar in bars[9:]]
    assert store_candles(*moved, now=NOW + 41 * DAY) == CandleCounts(seen=31, invalid=31)
    assert kept() == before
    assert Quarantine.objects.get().reason == "restated: many final bars changed, and not by one ratio"


def test_a_past_that_was_truly_rewritten_stays_as_it_was_and_the_vendor_is_followed_again_once_it_goes_on():
    store_candles(*waves(31))
    other = [candle(NOW + index * DAY, str(3000 + index * index)) for index in range(42)]
    assert store_candles(*other[:40]) == CandleCounts(seen=40, invalid=40)
    assert store_candles(*other[:41]) == CandleCounts(seen=41, created=10, invalid=31)
    assert store_candles(*other[10:]) == CandleCounts(seen=32, created=1, invalid=31)
    assert closes() == [bar.close for bar in (*waves(31), *other[31:])]
    assert Quarantine.objects.get().seen_count == 3
    assert AuditEvent.objects.filter(action="candles.restated").count() == 0


def test_a_restated_final_bar_is_counted_and_told():
    store_candles(*series(3))
    assert store_candles(series(3)[0], candle(NOW + DAY, "2050"), series(3)[2]) == CandleCounts(seen=3, unchanged=2, restated=1)
    assert closes() == [2000, 2050, 2002]
    told = AuditEvent.objects.get(action="candles.restated")
    assert told.detail["restated"] == [(NOW + DAY).isoformat()]


def test_a_new_volume_of_a_final_bar_is_no_restatement():
    store_candles(candle(NOW))
    assert store_candles(candle(NOW, volume=Decimal(99))) == CandleCounts(seen=1, updated=1)
    assert Candle.objects.get().volume == 99


def test_bars_that_contradict_themselves_are_refused_and_the_rest_is_stored():
    wrong = candle(NOW, high=Decimal(1))
    nan = candle(NOW + DAY, "NaN")
    assert store_candles(wrong, nan, candle(NOW + 2 * DAY)) == CandleCounts(seen=3, created=1, invalid=2)


def test_a_price_below_zero_is_possible():
    assert store_candles(candle(NOW, "-37.63")).created == 1
    assert closes() == [Decimal("-37.63")]


def test_a_history_stamped_anew_is_not_taken_for_new_bars():
    store_candles(*series(30))
    shifted = [replace(bar, closes_at=bar.closes_at + timedelta(hours=8)) for bar in series(30)]
    assert store_candles(*shifted) == CandleCounts(seen=30, doubles=30)
    assert len(closes()) == 30


def test_a_missing_bar_that_comes_late_is_stored():
    bars = series(30)
    store_candles(*bars[:12], *bars[13:])
    assert store_candles(*bars) == CandleCounts(seen=30, created=1, unchanged=29)
    assert closes() == [bar.close for bar in bars]


def test_an_instruments_description_follows_the_vendor():
    store_candles(candle(NOW))
    store_candles(candle(NOW), instrument=replace(INSTRUMENT, name="S&P 500 Index"))
    assert [instrument.name for instrument in selectors.instruments()] == ["S&P 500 Index"]


def test_an_answer_without_bars_stores_only_the_instrument():
    assert store_candles() == CandleCounts()
    assert (Instrument.objects.count(), Candle.objects.count()) == (1, 0)


def test_an_unknown_instrument_is_not_found():
    with pytest.raises(InstrumentNotFound):
        selectors.get_instrument("ins_nowhere")
