"""Gamma's market object as it is on the wire, read strictly.

Its habits: lists of outcomes, prices and token ids are JSON inside texts; volume is a text beside a number of nearly
the same name; moments come in two spellings; fields that do not apply are missing rather than null.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadRow
from apps.sources.strict import NUMBER_MAX, Row, as_mapping, as_rows, number_in, parse_json

ZERO, ONE = Decimal(0), Decimal(1)
CONDITION_ID = re.compile(r"0x[0-9a-f]{64}")
TOKEN_ID = re.compile(r"[0-9]{1,80}")
OUTCOMES_MAX = 50
CURSOR_LENGTH_MAX = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaEvent:
    """The event that a market belongs to."""

    id: str
    title: str
    category: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaMarket:
    """A market with the fields that the desk uses, in their true types."""

    condition_id: str
    slug: str
    question: str
    category: str
    event: GammaEvent | None
    outcomes: tuple[str, ...]
    token_ids: tuple[str, ...]
    prices: tuple[Decimal, ...]
    start: datetime | None
    event_start: datetime | None
    end: datetime
    closed_at: datetime | None
    updated_at: datetime | None
    is_trading: bool
    closed: bool
    fee_type: str
    fee_rate: Decimal
    tick_size: Decimal
    min_size: Decimal
    volume: Decimal
    uma_status: str


def read_page(body: bytes) -> tuple[list[object], str]:
    """Return the raw rows of a keyset page and the cursor of the next ("" at the end). Raises BadAnswer."""
    page = as_mapping(parse_json(body), what="the page of markets")
    rows = as_rows(page.get("markets"), what="the list of markets")
    cursor = page.get("next_cursor")
    return rows, cursor if isinstance(cursor, str) and len(cursor) <= CURSOR_LENGTH_MAX else ""


def read_market(value: object) -> GammaMarket:
    """Read one market. Raises BadRow naming the first field that is not believed."""
    row = Row(value)
    outcomes, token_ids = _outcomes(row)
    closed, is_active, is_archived = row.flag("closed"), row.flag("active"), row.flag("archived", default=False)
    return GammaMarket(
        condition_id=_matching(row, "conditionId", CONDITION_ID),
        slug=row.text("slug", length_max=300),
        question=row.text("question"),
        category=row.text_or("category", ""),
        event=_event(row),
        outcomes=outcomes,
        token_ids=token_ids,
        prices=_prices(row, len(outcomes)),
        start=row.moment_or_none("startDate"),
        event_start=row.moment_or_none("eventStartTime"),
        end=row.moment("endDate"),
        closed_at=row.moment_or_none("closedTime"),
        updated_at=row.moment_or_none("updatedAt"),
        is_trading=row.flag("acceptingOrders", default=False) and is_active and not closed and not is_archived,
        closed=closed,
        fee_type=row.text_or("feeType", ""),
        fee_rate=_fee_rate(row),
        tick_size=row.number("orderPriceMinTickSize", low=Decimal("0.0001"), high=Decimal("0.1")),
        min_size=row.number("orderMinSize", low=ZERO) if row.has("orderMinSize") else ZERO,
        volume=_volume(row),
        uma_status=row.text_or("umaResolutionStatus", ""),
    )


def _outcomes(row: Row) -> tuple[tuple[str, ...], tuple[str, ...]]:
    outcomes = row.texts_in_text("outcomes", count_max=OUTCOMES_MAX)
    token_ids = row.texts_in_text("clobTokenIds", count_max=OUTCOMES_MAX)
    if len(outcomes) < 2 or len(outcomes) != len(token_ids):
        raise BadRow("outcomes and clobTokenIds do not belong together")
    if len(set(outcomes)) != len(outcomes) or len(set(token_ids)) != len(token_ids):
        raise BadRow("outcomes or clobTokenIds name one thing twice")
    if not all(TOKEN_ID.fullmatch(token_id) for token_id in token_ids):
        raise BadRow("clobTokenIds are not decimal numbers")
    return outcomes, token_ids


def _prices(row: Row, count: int) -> tuple[Decimal, ...]:
    if not row.has("outcomePrices"):
        return ()
    texts = row.texts_in_text("outcomePrices", count_max=OUTCOMES_MAX)
    if len(texts) != count:
        raise BadRow("outcomes and outcomePrices do not belong together")
    return tuple(number_in(text, "outcomePrices", low=ZERO, high=ONE) for text in texts)


def _fee_rate(row: Row) -> Decimal:
    """Return the rate of the fee curve `rate * p * (1 - p)`; a curve that we cannot charge rightly is refused."""
    if not row.flag("feesEnabled", default=False):
        return ZERO
    schedule = row.row("feeSchedule")
    if schedule.number("exponent", low=ZERO) != 1:
        raise BadRow("feeSchedule.exponent is not 1")
    return schedule.number("rate", low=ZERO, high=ONE)


def _volume(row: Row) -> Decimal:
    if row.has("volume"):
        return row.number_text("volume", low=ZERO)
    return row.number("volumeNum", low=ZERO, high=NUMBER_MAX) if row.has("volumeNum") else ZERO


def _event(row: Row) -> GammaEvent | None:
    if not row.has("events"):
        return None
    events = row.items("events")
    if not events:
        return None
    event = Row(events[0])
    return GammaEvent(
        id=event.text("id", length_max=100),
        title=event.text_or("title", ""),
        category=event.text_or("category", ""),
        start=event.moment_or_none("startDate"),
        end=event.moment_or_none("endDate"),
    )


def _matching(row: Row, name: str, pattern: re.Pattern[str]) -> str:
    text = row.text(name, length_max=200)
    if not pattern.fullmatch(text):
        raise BadRow(f"{name} has not the form of one")
    return text
