"""The daily series, played at the world's own pace: one recorded trading day is one bar every so often.

Data: the daily S&P 500, NASDAQ, WTI and VIX series shipped in the PyPI package `arch`. Days without a value are not
bars. 750 bars lie before the anchor, so that a volatility model has a history from the first moment.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from datetime import date, datetime
from importlib.util import find_spec
from math import floor
from pathlib import Path

from apps.sources.world.recording import RecordingMissing
from apps.sources.world.timeline import Timeline

HISTORY_BARS = 750
FUTURE_BARS = 2_000  # as many as possible of a shorter series


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the vendor says about a symbol, and the columns of its series."""

    symbol: str
    name: str
    kind: str
    exchange: str
    exchange_name: str
    folder: str
    columns: tuple[str, str, str, str]
    volume_column: str | None


INSTRUMENTS = (
    Instrument("^GSPC", "S&P 500", "INDEX", "SNP", "SNP", "sp500", ("Open", "High", "Low", "Close"), "Volume"),
    Instrument("^IXIC", "NASDAQ Composite", "INDEX", "NIM", "Nasdaq GIDS", "nasdaq", ("Open", "High", "Low", "Close"), "Volume"),
    Instrument("CL=F", "Crude Oil WTI", "FUTURE", "NYM", "NY Mercantile", "wti", ("DCOILWTICO",) * 4, None),
    Instrument("^VIX", "CBOE Volatility Index", "INDEX", "CXI", "Cboe Indices", "vix", ("vix",) * 4, None),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One recorded trading day; a series of closes only has four equal prices and no volume."""

    on_date: date
    open: float
    high: float
    low: float
    close: float
    volume: int | None


@dataclass(frozen=True, slots=True)
class Series:
    """All bars of one instrument; bar `start` closes at the anchor of the world."""

    instrument: Instrument
    bars: tuple[Bar, ...]

    @property
    def start(self) -> int:
        """The bar that closes at the anchor: late enough for the history, early enough for the future."""
        return max(HISTORY_BARS - 1, len(self.bars) - 1 - FUTURE_BARS)

    @property
    def title(self) -> str:
        """What the series is, without the pace."""
        first, last = self.bars[0].on_date.year, self.bars[-1].on_date.year
        return f"recorded daily closes {first}–{last}"


@dataclass(frozen=True, slots=True)
class Tape:
    """All series and their pace: one bar every `bar_every_s` recorded seconds."""

    series: dict[str, Series]
    bar_every_s: float

    def bars_played(self, timeline: Timeline, at_ms: int) -> int:
        """Count the bars that closed since the anchor."""
        return floor((at_ms - timeline.anchor_recorded_ms) / 1000 / self.bar_every_s)

    def closed_bars(self, series: Series, timeline: Timeline, at_ms: int) -> list[tuple[int, Bar]]:
        """Return (wire second of the close, bar) of every bar closed by `at_ms`, history first."""
        played = self.bars_played(timeline, at_ms)
        first = series.start - HISTORY_BARS + 1
        end = min(series.start + played + 1, len(series.bars))
        every_ms = self.bar_every_s * 1000
        zero_ms = timeline.anchor_recorded_ms - series.start * every_ms
        return [(timeline.wire_s(zero_ms + index * every_ms), series.bars[index]) for index in range(first, end)]


def load_tape(bar_every_s: float) -> Tape:
    """Read the four series (0.05 s)."""
    spec = find_spec("arch")
    if spec is None or not spec.submodule_search_locations:
        raise RecordingMissing("the package arch is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    series = {instrument.symbol: _series(folder, instrument) for instrument in INSTRUMENTS}
    return Tape(series=series, bar_every_s=bar_every_s)


def _series(folder: Path, instrument: Instrument) -> Series:
    path = folder / instrument.folder / f"{instrument.folder}.csv.gz"
    with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if _has_values(row, instrument)]
    return Series(instrument, tuple(_bar(row, instrument) for row in rows))


def _has_values(row: dict[str, str], instrument: Instrument) -> bool:
    return all(row[column] not in ("", ".") for column in instrument.columns)


def _bar(row: dict[str, str], instrument: Instrument) -> Bar:
    opened, high, low, close = (float(row[column]) for column in instrument.columns)
    volume = int(row[instrument.volume_column]) if instrument.volume_column else None
    on_date = datetime.strptime(row["Date"], "%m/%d/%Y").date()  # noqa: DTZ007 - a day, not a moment
    return Bar(on_date, opened, high, low, close, volume)
