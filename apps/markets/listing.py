"""From a vendor's listing to the fields of our rows, and what differs; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apps.sources.types import EventRecord, MarketRecord

PRICE_GRID = Decimal("1e-10")
UNITS_GRID = Decimal("1e-6")
SEEN_STEP = timedelta(minutes=1)  # an unchanged market is written once a step, to say that it is still listed
ENDED = ("resolved", "void")
AHEAD_MAX = timedelta(minutes=10)  # believed once, a moment of the future would make all true answers after it older
TRIVIAL = frozenset({"volume", "vendor_at", "last_seen_at"})  # changes that are no business event


def event_fields(event: EventRecord) -> dict[str, Any]:
    """Return the columns of an event as the vendor gives them, texts cut to fit.

    Where a vendor's answer about a market does not describe its event, the text is empty: then what is stored stays.
    """
    texts = {"title": cut(event.title, 300), "category": cut(event.category, 100)}
    return {**_said(texts), "starts_at": event.starts_at, "closes_at": event.closes_at}


def market_fields(record: MarketRecord, *, event_id: str, state: str) -> dict[str, Any]:
    """Return the columns of a market as the vendor gives them; `state` is the one it has had so far.

    A market that has ended stays ended and takes no orders, whatever the listing says.
    """
    is_ended = state in ENDED
    return {
        "event_id": event_id,
        "slug": cut(record.slug, 200),
        "question": cut(record.question, 400),
        **_said({"category": cut(record.category, 100)}),
        "state": state if is_ended else "closed" if record.closed else "open",
        "accepts_orders": record.accepts_orders and not record.closed and not is_ended,
        "opens_at": record.opens_at,
        "closes_at": record.closes_at,
        "fee_rate": on_grid(record.fee_rate, PRICE_GRID),
        "tick_size": on_grid(record.tick_size, PRICE_GRID),
        "min_units": on_grid(record.min_units, UNITS_GRID),
        "volume": on_grid(record.volume, UNITS_GRID),
        **({} if record.vendor_at is None else {"vendor_at": record.vendor_at}),
    }


def _said(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}


def changed_fields(row: object, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the fields whose values differ from the row's."""
    return tuple(name for name, value in fields.items() if getattr(row, name) != value)


def is_due_to_be_seen(last_seen_at: datetime, *, now: datetime) -> bool:
    """Tell whether an unchanged row should be written again, to say that it is still listed."""
    return now - last_seen_at >= SEEN_STEP


def is_older(record: MarketRecord, stored_at: datetime | None) -> bool:
    """Tell whether the vendor described a market before what is stored of it; where it does not say when, it did not."""
    return stored_at is not None and record.vendor_at is not None and record.vendor_at < stored_at


def is_of_future(record: MarketRecord, told_at: datetime) -> bool:
    """Tell whether a market's description is dated well after `told_at`, when the answer came."""
    return record.vendor_at is not None and record.vendor_at > told_at + AHEAD_MAX


def fault_of_listing(record: MarketRecord, *, outcome_keys: tuple[str, ...] | None, taken: Iterable[str]) -> str:
    """Say why a listed market cannot be stored, or return "".

    `outcome_keys` are those of the stored market (None when it is new), `taken` the keys of other markets' outcomes.
    Money may hang on an outcome, so outcomes never change once stored.
    """
    keys = tuple(outcome.key for outcome in record.outcomes)
    if not keys or "" in keys or len(set(keys)) != len(keys):
        return "outcomes without distinct keys"
    if outcome_keys is not None:
        return "" if keys == outcome_keys else "outcomes differ from the stored ones"
    return "outcome keys belong to another market" if set(keys) & set(taken) else ""


def on_grid(value: Decimal, grid: Decimal) -> Decimal:
    """Round a number as its column does, so that stored and listed values compare equal."""
    return value.quantize(grid, rounding=ROUND_HALF_EVEN)


def cut(text: str, length_max: int) -> str:
    """Shorten a text to fit its column, with an ellipsis."""
    return text if len(text) <= length_max else text[: length_max - 1] + "…"
