"""Kalshi's markets as they are on the wire, read strictly.

Money comes in two writings: whole cents (`yes_bid`, until early 2026) and dollars in texts (`yes_bid_dollars`, which
know parts of a cent); counts as whole numbers (`volume`) and as texts (`volume_fp`). Older answers have both, newer ones
only the texts (https://docs.kalshi.com/getting_started/fixed_point_migration). Where both are there they must agree.
An empty result is an empty text; a moment that does not apply is of the year 1.
Statuses: https://docs.kalshi.com/getting_started/market_lifecycle
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.strict import Row, as_mapping, as_rows, excerpt_of, parse_json

ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
TICKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
STATUSES = ("initialized", "inactive", "active", "closed", "determined", "disputed", "amended", "finalized")
RESULTS = ("", "yes", "no", "scalar", "void")
PRICES = ("yes_bid", "yes_ask", "no_bid", "no_ask", "last_price", "settlement_value")
CURSOR_LENGTH_MAX = 4_000
CENT = Decimal("0.01")
YEAR_ONE = "0001-"


@dataclass(frozen=True, slots=True, kw_only=True)
class KalshiMarket:
    """A market with the fields that the desk uses; title and category of its event where the answer has them."""

    ticker: str
    event_ticker: str
    event_title: str
    category: str
    title: str
    subtitle: str
    status: str
    result: str
    settlement_value: Decimal | None
    settled_at: datetime | None
    opens_at: datetime | None
    closes_at: datetime
    updated_at: datetime | None
    tick_size: Decimal
    is_fractional: bool
    volume: Decimal


def read_page(body: bytes) -> tuple[list[object], str]:
    """Return the raw markets of a page of events or of markets and the next cursor ("" at the end). Raises BadAnswer."""
    page = as_mapping(parse_json(body), what="the page")
    cursor = page.get("cursor")
    following = cursor if isinstance(cursor, str) and len(cursor) <= CURSOR_LENGTH_MAX else ""
    if "events" in page:
        return _markets_of(as_rows(page["events"], what="the list of events")), following
    if "markets" not in page:
        raise BadAnswer("the page has neither events nor markets", excerpt=excerpt_of(body))
    return as_rows(page["markets"], what="the list of markets"), following


def _markets_of(events: list[object]) -> list[object]:
    """Return the markets inside the events, each with its event; an event without markets has none yet."""
    rows: list[object] = []
    for event in events:
        if not isinstance(event, dict):
            rows.append(event)
            continue
        about = {name: value for name, value in event.items() if name != "markets"}
        markets = event.get("markets") or []
        nested = markets if isinstance(markets, list) else [markets]
        rows += [{**market, "event": about} if isinstance(market, dict) else market for market in nested]
    return rows


def read_market(value: object) -> KalshiMarket:
    """Read one market. Raises BadRow naming the first field that is not believed."""
    row = Row(value)
    event = row.row("event") if row.has("event") else None
    prices = {name: dollars(row, name) for name in PRICES}
    return KalshiMarket(
        ticker=_ticker(row, "ticker"),
        event_ticker=_ticker(row, "event_ticker"),
        event_title=event.text_or("title", "") if event else "",
        category=event.text_or("category", "", length_max=200) if event else "",
        title=row.text_or("title", "") or row.text("yes_sub_title"),
        subtitle=row.text_or("yes_sub_title", ""),
        status=_one_of(row, "status", STATUSES),
        result=_one_of(row, "result", RESULTS),
        settlement_value=prices["settlement_value"],
        settled_at=_moment_or_none(row, "settlement_ts"),
        opens_at=_moment_or_none(row, "open_time"),
        closes_at=row.moment("close_time"),
        updated_at=_moment_or_none(row, "updated_time"),
        tick_size=_tick_size(row),
        is_fractional=row.flag("fractional_trading_enabled", default=False),
        volume=_count(row, "volume"),
    )


def dollars(row: Row, name: str) -> Decimal | None:
    """Return a price between 0 and 1 dollar, from its text or from whole cents; None where neither is there."""
    in_cents = row.number(name, low=ZERO, high=HUNDRED) / HUNDRED if row.has(name) else None
    written = f"{name}_dollars"
    in_dollars = row.number_text(written, low=ZERO, high=ONE) if _is_said(row, written) else None
    # Whole cents cannot show parts of a cent.
    if in_cents is not None and in_dollars is not None and abs(in_cents - in_dollars) >= CENT:
        raise BadRow(f"{name} and {written} differ")
    return in_cents if in_dollars is None else in_dollars


def _count(row: Row, name: str) -> Decimal:
    """Return a count of contracts, from its text or from a whole number; 0 where neither is there."""
    whole = row.number(name, low=ZERO) if row.has(name) else None
    written = f"{name}_fp"
    exact = row.number_text(written, low=ZERO) if _is_said(row, written) else None
    if whole is not None and exact is not None and abs(whole - exact) >= ONE:
        raise BadRow(f"{name} and {written} differ")
    return exact if exact is not None else whole or ZERO


def _tick_size(row: Row) -> Decimal:
    """Return the coarsest step of the market's price ranges: a price on it is valid in each of them."""
    if not row.has("price_ranges"):
        return CENT
    steps = [Row(item).number_text("step", low=Decimal("0.0001"), high=Decimal("0.1")) for item in row.items("price_ranges")]
    return max(steps, default=CENT)


def _is_said(row: Row, name: str) -> bool:
    return bool(row.has(name) and row.text_or(name, ""))


def _one_of(row: Row, name: str, known: tuple[str, ...]) -> str:
    text = row.text_or(name, "", length_max=40)
    if text not in known:
        raise BadRow(f"{name} is not a known one: {text or 'nothing'}")
    return text


def _moment_or_none(row: Row, name: str) -> datetime | None:
    return None if row.text_or(name, YEAR_ONE, length_max=64).startswith(YEAR_ONE) else row.moment(name)


def _ticker(row: Row, name: str) -> str:
    text = row.text(name, length_max=100)
    if not TICKER.fullmatch(text):
        raise BadRow(f"{name} has not the form of one")
    return text
