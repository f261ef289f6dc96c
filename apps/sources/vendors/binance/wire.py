"""Binance's answers as they are on the wire, read strictly.

Prices and volumes are texts, moments are whole milliseconds, and a bar is a list of twelve places. An error is an
object of `code` and `msg`; -1003 is a rate limit, whatever its status says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadAnswer, BadRow, QuotaSpent
from apps.sources.strict import Row, as_rows, excerpt_of, moment_of_milliseconds, number_in, parse_json

LOWEST = Decimal("0.000000000001")
CHANGE_MIN, CHANGE_MAX = Decimal(-100), Decimal(1_000_000)
TOO_MANY_REQUESTS = -1003
OPEN, HIGH, LOW, CLOSE, VOLUME, CLOSE_TIME = 1, 2, 3, 4, 5, 6
KLINE_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class WireTicker:
    """The 24-hour figures of one pair; `volume` is in the quote currency, `change` in percent."""

    pair: str
    price: Decimal
    change: Decimal
    volume: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WireKline:
    """One bar; `ends_at` is its last millisecond."""

    ends_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def read_tickers(body: bytes) -> list[object]:
    """Return the raw tickers of an answer. Raises BadAnswer and QuotaSpent."""
    return as_rows(_without_error(body), what="the list of tickers")


def read_klines(body: bytes) -> list[object]:
    """Return the raw bars of an answer. Raises BadAnswer and QuotaSpent."""
    return as_rows(_without_error(body), what="the list of bars")


def read_ticker(value: object) -> WireTicker:
    """Read one ticker. Raises BadRow."""
    row = Row(value)
    return WireTicker(
        pair=row.text("symbol", length_max=30),
        price=row.number_text("lastPrice", low=LOWEST),
        change=row.number_text("priceChangePercent", low=CHANGE_MIN, high=CHANGE_MAX),
        volume=row.number_text("quoteVolume", low=Decimal(0)),
        at=_milliseconds(row.number("closeTime", low=Decimal(0)), "closeTime"),
    )


def read_kline(value: object) -> WireKline:
    """Read one bar. Raises BadRow."""
    if not isinstance(value, list) or len(value) != KLINE_LENGTH:
        raise BadRow(f"the bar is not a list of {KLINE_LENGTH}")
    return WireKline(
        ends_at=_milliseconds(value[CLOSE_TIME], "close time"),
        open=number_in(value[OPEN], "open", low=LOWEST),
        high=number_in(value[HIGH], "high", low=LOWEST),
        low=number_in(value[LOW], "low", low=LOWEST),
        close=number_in(value[CLOSE], "close", low=LOWEST),
        volume=number_in(value[VOLUME], "volume", low=Decimal(0)),
    )


def _without_error(body: bytes) -> object:
    value = parse_json(body)
    if isinstance(value, dict) and "code" in value:
        if value["code"] == TOO_MANY_REQUESTS:
            raise QuotaSpent(f"binance: {excerpt_of(value.get('msg'))[:200]}", retry_after_s=60.0)
        raise BadAnswer("the vendor reports an error", excerpt=excerpt_of(body))
    return value


def _milliseconds(value: object, name: str) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadRow(f"{name} is not whole milliseconds")
    return moment_of_milliseconds(str(value), name)
