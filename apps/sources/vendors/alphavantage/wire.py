"""Alpha Vantage's answers as they are on the wire, read strictly.

Built from the vendor's public documents and its quoted notes. Every value is a text under a numbered name. Errors come
under HTTP 200: `Note` and `Information` for quotas, and `Information` also for what a key may not have; `Error Message`
for what it does not understand. A limit is no bad data: it is a `QuotaSpent`, and nothing goes into the quarantine.
A share that it does not know has an empty quote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from apps.sources.errors import BadAnswer, BadRow, NotAtVendor, QuotaSpent, VendorRefused
from apps.sources.strict import Row, as_mapping, excerpt_of, parse_json

LOWEST = Decimal("0.000001")
NEW_YORK = ZoneInfo("America/New_York")
CLOSING = time(16)
LIMIT = re.compile(r"call frequency|rate limit|(?:request|call)s? per (?:day|minute|second)", re.IGNORECASE)
SHORT_LIMIT = re.compile(r"per (?:minute|second)", re.IGNORECASE)
MINUTE_S, HOUR_S = 60.0, 3_600.0  # a day's quota is asked for again each hour: nobody says when the vendor's day ends


@dataclass(frozen=True, slots=True, kw_only=True)
class WireQuote:
    """The price of one share, the close before it, its trades in shares, and the close of the day that it is of."""

    symbol: str
    price: Decimal
    last_close: Decimal | None
    volume: Decimal
    day_ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WireBar:
    """One daily bar."""

    ends_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def read_quote(body: bytes) -> WireQuote:
    """Read a quote. Raises BadAnswer, QuotaSpent, VendorRefused, NotAtVendor."""
    quote = _part(body, "Global Quote")
    if not quote:
        raise NotAtVendor("alphavantage does not know the share: its quote is empty")
    row = Row(quote)
    try:
        last_close = row.number_text("08. previous close", low=Decimal(0))
        return WireQuote(
            symbol=row.text("01. symbol", length_max=40),
            price=row.number_text("05. price", low=LOWEST),
            last_close=last_close or None,
            volume=row.number_text("06. volume", low=Decimal(0)),
            day_ends_at=close_of(row.text("07. latest trading day", length_max=10), "07. latest trading day"),
        )
    except BadRow as error:
        raise BadAnswer(f"the quote is not believable: {error.reason}", excerpt=excerpt_of(body)) from error


def read_daily(body: bytes) -> list[tuple[str, object]]:
    """Return the raw bars of an answer by their day. Raises BadAnswer, QuotaSpent, VendorRefused, NotAtVendor."""
    return list(_part(body, "Time Series (Daily)").items())


def read_bar(day: str, value: object) -> WireBar:
    """Read one bar. Raises BadRow."""
    row = Row(value)
    return WireBar(
        ends_at=close_of(day, "the day"),
        open=row.number_text("1. open", low=LOWEST),
        high=row.number_text("2. high", low=LOWEST),
        low=row.number_text("3. low", low=LOWEST),
        close=row.number_text("4. close", low=LOWEST),
        volume=row.number_text("5. volume", low=Decimal(0)),
    )


def close_of(day: str, name: str) -> datetime:
    """Return the moment when New York closes on a day. Raises BadRow."""
    try:
        parsed = datetime.strptime(day, "%Y-%m-%d").date()  # noqa: DTZ007  # a date alone has no zone
    except ValueError:
        raise BadRow(f"{name} is not a date") from None
    return datetime.combine(parsed, CLOSING, tzinfo=NEW_YORK).astimezone(UTC)


def _part(body: bytes, name: str) -> dict[str, object]:
    """Return the part of an answer that was asked for; when it is not there, raise what the vendor says instead."""
    frame = as_mapping(parse_json(body), what="the answer")
    part = frame.get(name)
    if isinstance(part, dict):
        return part
    _raise_what_is_said(frame)
    raise BadAnswer(f"the answer has no {name}", excerpt=excerpt_of(body))


def _raise_what_is_said(frame: Mapping[str, object]) -> None:
    said = next((str(frame[name])[:300] for name in ("Note", "Information") if frame.get(name)), "")
    if said and LIMIT.search(said):
        raise QuotaSpent(f"alphavantage: {said}", retry_after_s=MINUTE_S if SHORT_LIMIT.search(said) else HOUR_S)
    if said:
        raise VendorRefused(f"alphavantage: {said}")
    refusal = str(frame.get("Error Message") or "")[:300]
    if "apikey" in refusal.lower():
        raise VendorRefused(f"alphavantage: {refusal}")
    if refusal:
        raise NotAtVendor(f"alphavantage does not know it: {refusal}")
