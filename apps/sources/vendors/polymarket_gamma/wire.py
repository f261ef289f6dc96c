"""Gamma's market object as it is on the wire, read strictly.

Its habits: lists of outcomes, prices and token ids are JSON inside texts, in some answers lists; numbers are numbers, in
some answers texts; volume is a text beside a number of nearly the same name; moments come in two spellings; fields that
do not apply are missing rather than null; `active` stays true on markets that are closed.

A page of markets comes in four shapes: `{"markets": […], "next_cursor"}` (`/markets/keyset`), a bare list (`/markets`),
`{"data": […]}`, and events with their markets inside (`/events`, `/events/keyset`). Source of the keyset form:
https://docs.polymarket.com/api-reference/markets/list-markets-keyset-pagination
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.strict import NUMBER_MAX, Row, as_mapping, as_rows, excerpt_of, number_in, parse_json

ZERO, ONE = Decimal(0), Decimal(1)
CONDITION_ID = re.compile(r"0x[0-9a-f]{64}")
TOKEN_ID = re.compile(r"[0-9]{1,80}")
OUTCOMES_MAX = 50
CURSOR_LENGTH_MAX = 4_000
LISTS = ("markets", "data", "events")
TEXT_LISTS = ("outcomes", "outcomePrices", "clobTokenIds")
NUMBERS = ("orderPriceMinTickSize", "orderMinSize", "volumeNum")


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
    """Return the raw markets of a page in any of its shapes and the cursor of the next ("" at the end). Raises BadAnswer."""
    value = parse_json(body)
    if isinstance(value, list):
        return _flat(value), ""
    page = as_mapping(value, what="the page of markets")
    name = next((name for name in LISTS if name in page), "")
    if not name:
        raise BadAnswer(f"the page of markets has none of {', '.join(LISTS)}", excerpt=excerpt_of(body))
    cursor = page.get("next_cursor")
    rows = _flat(as_rows(page[name], what=f"the list of {name}"))
    return rows, cursor if isinstance(cursor, str) and len(cursor) <= CURSOR_LENGTH_MAX else ""


def _flat(rows: list[object]) -> list[object]:
    """Return the markets among the rows, and those inside the events among them, each with its event."""
    flat: list[object] = []
    for row in rows:
        nested = row.get("markets") if isinstance(row, dict) else None
        if isinstance(row, dict) and isinstance(nested, list) and "conditionId" not in row:
            event = {name: value for name, value in row.items() if name != "markets"}
            flat += [{"events": [event], **market} if isinstance(market, dict) else market for market in nested]
        else:
            flat.append(row)
    return flat


def read_market(value: object) -> GammaMarket:
    """Read one market. Raises BadRow naming the first field that is not believed."""
    row = Row(_as_written(value))
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


def _as_written(value: object) -> object:
    """Return a market as `/markets/keyset` writes it: lists inside texts, numbers as numbers, the volume as a text."""
    if not isinstance(value, dict):
        return value
    fields: dict[str, object] = {**value, **_numbers(value, NUMBERS)}
    for name in TEXT_LISTS:
        fields[name] = _in_text(value.get(name))
    if isinstance(value.get("feeSchedule"), dict):
        fields["feeSchedule"] = {**value["feeSchedule"], **_numbers(value["feeSchedule"], ("rate", "exponent"))}
    if _is_number(value.get("volume")):
        fields["volume"] = str(value["volume"])
    return fields


def _numbers(fields: dict[str, object], names: tuple[str, ...]) -> dict[str, object]:
    texts = {name: fields[name] for name in names if isinstance(fields.get(name), str)}
    return {name: number_in(text, name, low=ZERO) for name, text in texts.items()}


def _in_text(value: object) -> object:
    """Return a list of texts or numbers as JSON inside a text; anything else stays for the reader to refuse."""
    if not isinstance(value, list) or not all(isinstance(item, str) or _is_number(item) for item in value):
        return value
    return json.dumps([str(item) for item in value])


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


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
