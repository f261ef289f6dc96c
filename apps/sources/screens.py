"""A screen: prices of a list of symbols side by side, each saying where it came from and how old it is. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from apps.resilience import CacheRule, Grade
from apps.resilience.freshness import grade_of
from apps.sources.chains import Part
from apps.sources.types import TickerRecord

Order = Literal["change", "cap", "volume", "price", "symbol"]
ORDERS: tuple[Order, ...] = ("change", "cap", "volume", "price", "symbol")
# No refresh runs behind its reader, early or after a failure: every load must leave its trace in the fetch log.
RULE = CacheRule(fresh_s=300.0, retry_s=0.0, negative_s=0.0, early_beta=0.0)
SHAPE = 1  # in the cache's key: desks of two versions do not read each other's screens


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A price with the source that it came from."""

    source: str
    ticker: TickerRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a screen. `age_s` counts from when the price was fetched; `rank` from 1."""

    rank: int
    source: str
    ticker: TickerRecord
    age_s: float
    grade: Grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A screen as the cache keeps it: what was brought, and every source's part in it."""

    quoted: Mapping[str, Quoted]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What readers get. `reason` says why the prices could not be renewed, or is empty; `is_cached`: nobody was asked."""

    name: str
    rows: tuple[Row, ...]
    missing: tuple[str, ...]
    parts: tuple[Part, ...]
    is_cached: bool
    age_s: float
    reason: str

    @property
    def is_good(self) -> bool:
        """Whether every symbol has a fresh price and nothing failed on the way to it."""
        return not self.missing and not self.reason and all(row.grade is Grade.FRESH for row in self.rows)


def ranked(kept: Kept, *, order: Order, now: datetime) -> tuple[Row, ...]:
    """Return the lines in order, best rank first: what moved most (either way), is largest, is dearest, or by symbol."""
    ordered = sorted(kept.quoted.values(), key=lambda one: (_weight(one.ticker, order), one.ticker.symbol))
    return tuple(_row(rank, quoted, now) for rank, quoted in enumerate(ordered, start=1))


def merged(kept: Kept, older: Kept | None, symbols: Sequence[str]) -> Kept:
    """Let an older price stand in, with its age, for each symbol that nobody brought now."""
    before = older.quoted if older else {}
    both = {symbol: kept.quoted.get(symbol) or before.get(symbol) for symbol in symbols}
    return Kept(quoted={symbol: quoted for symbol, quoted in both.items() if quoted}, parts=kept.parts)


def key_of(name: str, symbols: Sequence[str]) -> str:
    """Return the cache's key of a list of symbols."""
    return f"screen:{name}.{SHAPE}.{hashlib.sha256(','.join(symbols).encode()).hexdigest()[:16]}"


def packed(kept: Kept) -> bytes:
    """Return a screen as bytes for the cache."""
    quoted = [{"source": one.source, **asdict(one.ticker)} for one in kept.quoted.values()]
    parts = [asdict(part) for part in kept.parts]
    return json.dumps({"quoted": quoted, "parts": parts}, default=_as_text).encode()


def unpacked(value: bytes) -> Kept | None:
    """Return the screen that `packed` wrote, or None when these bytes are something else."""
    try:
        found = json.loads(value)
        quoted = [Quoted(source=row.pop("source"), ticker=_ticker(row)) for row in found["quoted"]]
        parts = tuple(Part(**part) for part in found["parts"])
    except (ValueError, KeyError, TypeError, ArithmeticError):
        return None
    return Kept(quoted={one.ticker.symbol: one for one in quoted}, parts=parts)


def _row(rank: int, quoted: Quoted, now: datetime) -> Row:
    age_s = max(0.0, (now - quoted.ticker.received_at).total_seconds())
    grade = grade_of(age_s, RULE, has_failed=False)
    return Row(rank=rank, source=quoted.source, ticker=quoted.ticker, age_s=age_s, grade=grade)


def _weight(ticker: TickerRecord, order: Order) -> Decimal:
    """Return what a line is sorted by, smallest first; what is not known comes last."""
    if order == "symbol":
        return Decimal(0)
    figures = {"change": ticker.change, "cap": ticker.market_cap, "volume": ticker.volume, "price": ticker.price}
    figure = figures[order]
    return Decimal("Infinity") if figure is None else -abs(figure)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _ticker(row: dict[str, Any]) -> TickerRecord:
    numbers = {name: _decimal(row[name]) for name in ("change", "volume", "market_cap")}
    vendor_at = None if row["vendor_at"] is None else datetime.fromisoformat(row["vendor_at"])
    return TickerRecord(
        symbol=row["symbol"],
        name=row["name"],
        price=Decimal(row["price"]),
        currency=row["currency"],
        vendor_at=vendor_at,
        received_at=datetime.fromisoformat(row["received_at"]),
        **numbers,
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
