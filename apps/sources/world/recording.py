"""The recording: order books and settlements of 18 real markets, one snapshot a second and side, 20 levels.

Data: Resolved Markets, CC BY 4.0, shipped in the PyPI package `resolvedkit`. The books stay in columns (numpy); a
snapshot becomes Python objects only when somebody asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from apps.sources.world.errors import WorldRefused

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Phase = Literal["unlisted", "open", "proposed", "resolved"]

SIDES = ("UP", "DOWN")
SNAPSHOT_EVERY_MS = 1_000  # the recording is thinned to this; the last snapshot stands as long as any other
RESOLUTION_DELAY_MS = (20_000, 40_000)  # between "proposed" and "resolved"; settled per market by its own id
TOKEN_FLOOR = 10**76  # token ids are written with 77 decimal digits


class RecordingMissing(WorldRefused):
    """The recorded data is not installed: install the packages of `requirements/world.in`."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """One side (bids or asks) of every snapshot: levels of row `i` are `prices[offsets[i]:offsets[i + 1]]`, best first."""

    offsets: Whole
    prices: Real
    units: Real

    def levels(self, row: int) -> list[tuple[float, float]]:
        """Return (price, units) of one snapshot, best first."""
        first, end = int(self.offsets[row]), int(self.offsets[row + 1])
        return list(zip(self.prices[first:end].tolist(), self.units[first:end].tolist(), strict=True))

    def best(self, rows: Whole, missing: float) -> Real:
        """Return the best price of each row, `missing` where the side is empty."""
        first = np.minimum(self.offsets[rows], len(self.prices) - 1)
        is_empty = self.offsets[rows + 1] == self.offsets[rows]
        return np.where(is_empty, missing, self.prices[first])

    def rows_of_fine_prices(self) -> Whole:
        """Return the rows that quote a fraction of a cent."""
        cents = self.prices * 100
        is_fine = np.abs(cents - np.round(cents)) > 1e-6
        return np.searchsorted(self.offsets, np.flatnonzero(is_fine), side="right") - 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One order book of one outcome at one recorded moment; (price, units), best first."""

    at_ms: int
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]

    @property
    def mid(self) -> float:
        """The vendor's mid: a missing bid counts as 0, a missing ask as 1."""
        return ((self.bids[0][0] if self.bids else 0.0) + (self.asks[0][0] if self.asks else 1.0)) / 2


@dataclass(frozen=True, slots=True)
class Track:
    """One outcome of one market through time."""

    token_id: str
    label: str
    payout: float
    times_ms: Whole
    rows: Whole
    bids: Ladder
    asks: Ladder

    def book(self, at_ms: int) -> Snapshot | None:
        """Return the latest snapshot at or before `at_ms`, None before the first."""
        index = int(np.searchsorted(self.times_ms, at_ms, side="right")) - 1
        if index < 0:
            return None
        row = int(self.rows[index])
        return Snapshot(int(self.times_ms[index]), self.bids.levels(row), self.asks.levels(row))

    def mids(self) -> Real:
        """Return the mid of every snapshot, in the order of `times_ms`."""
        return (self.bids.best(self.rows, 0.0) + self.asks.best(self.rows, 1.0)) / 2


@dataclass(frozen=True, slots=True)
class RecordedMarket:
    """One market from its first snapshot to its resolution; all moments in recorded epoch milliseconds.

    `opens` is the first snapshot of both outcomes, `starts` and `ends` the window of the question, `closes` when trading
    stops (some 30 to 75 s after the end), `resolves` when the result is final. `fine_ticks_ms` is the first quote in
    fractions of a cent.
    """

    condition_id: str
    slug: str
    question: str
    category: str
    opens_ms: int
    starts_ms: int
    ends_ms: int
    closes_ms: int
    resolves_ms: int
    fine_ticks_ms: int | None
    tracks: tuple[Track, Track]

    def phase(self, at_ms: int) -> Phase:
        """Tell how far the market has come at `at_ms`."""
        if at_ms < self.opens_ms:
            return "unlisted"
        if at_ms < self.closes_ms:
            return "open"
        return "proposed" if at_ms < self.resolves_ms else "resolved"

    def tick(self, at_ms: int) -> float:
        """Tell the smallest price step: a cent until somebody quoted less, as the venue does near 0 and 1."""
        is_fine = self.fine_ticks_ms is not None and at_ms >= self.fine_ticks_ms
        return 0.001 if is_fine else 0.01


@dataclass(frozen=True, slots=True)
class Recording:
    """All markets, earliest first, and where to find them."""

    markets: tuple[RecordedMarket, ...]
    by_condition: dict[str, RecordedMarket]
    by_token: dict[str, tuple[RecordedMarket, Track]]

    @property
    def begins_ms(self) -> int:
        """The first snapshot of all."""
        return min(market.opens_ms for market in self.markets)

    @property
    def finished_ms(self) -> int:
        """When the last market is resolved."""
        return max(market.resolves_ms for market in self.markets)


def token_id(condition_id: str, side: str) -> str:
    """Return a deterministic id of 77 decimal digits for one outcome; the recording carries none."""
    digest = int.from_bytes(sha256(f"{condition_id}:{side}".encode()).digest())
    return str(TOKEN_FLOOR + digest % (9 * TOKEN_FLOOR))


def resolution_delay_ms(condition_id: str) -> int:
    """Return how long this market's result stays proposed: 20 to 40 s, always the same for one market."""
    low, high = RESOLUTION_DELAY_MS
    return low + int.from_bytes(sha256(condition_id.encode()).digest()[:8]) % (high - low + 1)


def sample_folder() -> Path:
    """Return where `resolvedkit` keeps its data, without importing it."""
    spec = find_spec("resolvedkit")
    if spec is None or not spec.submodule_search_locations:
        raise RecordingMissing("the package resolvedkit is not installed")
    return Path(spec.submodule_search_locations[0]) / "sample_data"


def load_recording(folder: Path | None = None, *, first: int | None = None) -> Recording:
    """Read the recording from its two Parquet files (0.2 s) and give back what reading took (70 MB).

    `first` keeps only that many of the earliest markets.
    """
    markets = sorted(_read_markets(folder or sample_folder()), key=lambda market: market.ends_ms)[:first]
    pa.default_memory_pool().release_unused()
    return Recording(
        markets=tuple(markets),
        by_condition={market.condition_id: market for market in markets},
        by_token={track.token_id: (market, track) for market in markets for track in market.tracks},
    )


def _read_markets(folder: Path) -> list[RecordedMarket]:
    facts = pq.ParquetFile(folder / "markets.parquet").read(use_threads=False).to_pylist()
    books = _Books(pq.ParquetFile(folder / "books.parquet").read(use_threads=False))
    return [books.market(fact) for fact in facts]


class _Books:
    """The table of books while it is being cut into markets.

    Columns are read through DLPack: Arrow's own `to_numpy` imports pandas, which doubles the time to start.
    """

    def __init__(self, table: Any) -> None:
        self.times_ms = _whole(table["ts"].combine_chunks())
        self.rows_of_market = _rows_by_name(table["market_id"])
        self.rows_of_side = _rows_by_name(table["side"])
        self.bids = _ladder(table, "bid")
        self.asks = _ladder(table, "ask")
        self.fine_rows = np.union1d(self.bids.rows_of_fine_prices(), self.asks.rows_of_fine_prices())

    def market(self, fact: dict[str, Any]) -> RecordedMarket:
        condition_id = fact["market_id"]
        mine = self.rows_of_market[condition_id]
        fine = np.intersect1d(mine, self.fine_rows)
        tracks = (self.track(fact, mine, "UP"), self.track(fact, mine, "DOWN"))
        closes_ms = int(self.times_ms[mine].max()) + SNAPSHOT_EVERY_MS
        return RecordedMarket(
            condition_id=condition_id,
            slug=fact["slug"],
            question=fact["question"],
            category=fact["category"],
            opens_ms=max(int(track.times_ms[0]) for track in tracks),
            starts_ms=fact["start_ts"],
            ends_ms=fact["end_ts"],
            closes_ms=closes_ms,
            resolves_ms=closes_ms + resolution_delay_ms(condition_id),
            fine_ticks_ms=int(self.times_ms[fine].min()) if len(fine) else None,
            tracks=tracks,
        )

    def track(self, fact: dict[str, Any], mine: Whole, side: str) -> Track:
        rows = np.intersect1d(mine, self.rows_of_side[side])
        rows = rows[np.argsort(self.times_ms[rows], kind="stable")]
        return Track(
            token_id=token_id(fact["market_id"], side),
            label=fact[f"outcome_{side.lower()}"],
            payout=fact[f"payout_{side.lower()}"],
            times_ms=self.times_ms[rows],
            rows=rows,
            bids=self.bids,
            asks=self.asks,
        )


def _rows_by_name(column: Any) -> dict[str, Whole]:
    """Group the rows of a text column by value, through its dictionary."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = _whole(encoded.indices)
    return {name: np.flatnonzero(codes == code) for code, name in enumerate(encoded.dictionary.to_pylist())}


def _ladder(table: Any, side: str) -> Ladder:
    prices = table[f"{side}_px"].combine_chunks()
    units = table[f"{side}_sz"].combine_chunks()
    return Ladder(
        offsets=_whole(prices.offsets),
        prices=_real(prices.values),
        units=_real(units.values),
    )


def _whole(column: Any) -> Whole:
    return np.asarray(np.from_dlpack(column), dtype=np.int64)


def _real(column: Any) -> Real:
    return np.asarray(np.from_dlpack(column), dtype=np.float64)
