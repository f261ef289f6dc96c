"""The daily series played as bars, against the package that ships them."""

from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.world.tape import FUTURE_BARS, HISTORY_BARS, INSTRUMENTS, Tape, load_tape
from apps.sources.world.timeline import Timeline

BEGINS_MS = 1_790_585_112_649
TIMELINE = Timeline(1_800_000_000.0, BEGINS_MS, 120.0)


@pytest.fixture(scope="module")
def tape() -> Tape:
    return load_tape(600.0)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.folder)
def test_bars_are_the_days_that_arch_has_a_value_for(tape, instrument):
    days = import_module(f"arch.data.{instrument.folder}").load().dropna()
    bars = tape.series[instrument.symbol].bars
    assert len(bars) == len(days)
    assert [bar.on_date for bar in bars] == [day.date() for day in days.index]
    assert [bar.close for bar in bars] == pytest.approx(days[instrument.columns[3]].tolist())
    assert [bar.open for bar in bars] == pytest.approx(days[instrument.columns[0]].tolist())
    if instrument.volume_column is None:
        assert {bar.volume for bar in bars} == {None}
    else:
        assert [bar.volume for bar in bars] == days["Volume"].tolist()


def test_closes_only_become_bars_of_four_equal_prices(tape):
    for symbol in ("CL=F", "^VIX"):
        assert all(bar.open == bar.high == bar.low == bar.close for bar in tape.series[symbol].bars)


def test_the_history_lies_before_the_anchor(tape):
    for series in tape.series.values():
        bars = tape.closed_bars(series, TIMELINE, BEGINS_MS)
        assert len(bars) == HISTORY_BARS
        assert bars[-1][0] == 1_800_000_000
        assert bars[0][0] == 1_800_000_000 - 749 * 5


def test_enough_bars_remain(tape):
    remaining = {symbol: len(series.bars) - 1 - series.start for symbol, series in tape.series.items()}
    assert [remaining[symbol] for symbol in ("^GSPC", "^IXIC", "CL=F")] == [FUTURE_BARS] * 3
    assert remaining["^VIX"] == 1_259 - HISTORY_BARS, "the shortest series gives what it has"


@given(st.integers(min_value=0, max_value=2_000_000_000), st.floats(min_value=1, max_value=500))
def test_only_closed_bars_are_served_and_each_moment_once(elapsed_ms, speed):
    tape = load_tape_once()
    timeline = Timeline(1_800_000_000.0, BEGINS_MS, speed)
    at_ms = BEGINS_MS + elapsed_ms
    for series in tape.series.values():
        bars = tape.closed_bars(series, timeline, at_ms)
        moments = [at_s for at_s, _ in bars]
        assert moments == sorted(set(moments))
        assert moments[-1] * 1000 <= timeline.wire_ms(at_ms)
        played = min(tape.bars_played(timeline, at_ms), len(series.bars) - 1 - series.start)
        assert len(bars) == HISTORY_BARS + played


def test_a_bar_never_changes_once_it_was_served(tape):
    series = tape.series["^GSPC"]
    early = tape.closed_bars(series, TIMELINE, BEGINS_MS + 600_000)
    late = tape.closed_bars(series, TIMELINE, BEGINS_MS + 6_000_000)
    assert late[: len(early)] == early
    assert len(late) - len(early) == 9


LOADED: list[Tape] = []


def load_tape_once() -> Tape:
    if not LOADED:
        LOADED.append(load_tape(600.0))
    return LOADED[0]
