"""Manifold's markets and bets as they are on the wire, read strictly.

Only questions with the answers yes and no (`outcomeType` BINARY) are read; of the answers to a multiple choice a list
says nothing. Moments are whole milliseconds, probabilities floats. `resolution` is YES, NO, CANCEL (all stakes go back),
or MKT: yes pays `resolutionProbability`, a field that is there for other ends too and means nothing then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadRow
from apps.sources.strict import Row, as_mapping, as_rows, moment_of_milliseconds, parse_json

ZERO, ONE = Decimal(0), Decimal(1)
MARKET_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
RESOLUTIONS = ("YES", "NO", "MKT", "CANCEL")
PROBABILITY_GRID = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifoldMarket:
    """A market with the fields that the desk uses."""

    id: str
    slug: str
    question: str
    token: str
    opens_at: datetime
    closes_at: datetime
    updated_at: datetime | None
    is_resolved: bool
    resolution: str
    resolved_at: datetime | None
    share: Decimal | None
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Bet:
    """What a bet moved the probability of yes to, and when."""

    market_id: str
    at: datetime
    probability: Decimal


def read_list(body: bytes) -> list[object]:
    """Return the raw rows of a list of markets or of bets. Raises BadAnswer."""
    return as_rows(parse_json(body), what="the list")


def read_one(body: bytes) -> object:
    """Return the raw market of an answer about one. Raises BadAnswer."""
    return as_mapping(parse_json(body), what="the market")


def read_market(value: object) -> ManifoldMarket:
    """Read one market. Raises BadRow naming the first field that is not believed."""
    row = Row(value)
    kind = row.text("outcomeType", length_max=40)
    if kind != "BINARY":
        raise BadRow(f"outcomeType is {kind}: only BINARY is read")
    is_resolved = row.flag("isResolved")
    resolution = _resolution(row) if is_resolved else ""
    return ManifoldMarket(
        id=_market_id(row, "id"),
        slug=row.text_or("slug", row.text_or("url", "").rpartition("/")[2] or row.text("id"), length_max=400),
        question=row.text("question"),
        token=row.text_or("token", "MANA", length_max=10),
        opens_at=_moment(row, "createdTime"),
        closes_at=_moment(row, "closeTime"),
        updated_at=_moment(row, "lastUpdatedTime") if row.has("lastUpdatedTime") else None,
        is_resolved=is_resolved,
        resolution=resolution,
        resolved_at=_moment(row, "resolutionTime") if is_resolved and row.has("resolutionTime") else None,
        share=_probability(row, "resolutionProbability") if resolution == "MKT" else None,
        volume=row.number("volume", low=ZERO) if row.has("volume") else ZERO,
    )


def read_bet(value: object) -> Bet:
    """Read one bet. Raises BadRow."""
    row = Row(value)
    return Bet(_market_id(row, "contractId"), _moment(row, "createdTime"), _probability(row, "probAfter"))


def _resolution(row: Row) -> str:
    text = row.text("resolution", length_max=40)
    if text not in RESOLUTIONS:
        raise BadRow(f"resolution is not a known one: {text}")
    return text


def _probability(row: Row, name: str) -> Decimal:
    return row.number(name, low=ZERO, high=ONE).quantize(PROBABILITY_GRID)


def _moment(row: Row, name: str) -> datetime:
    number = row.number(name, low=ZERO)
    if number != number.to_integral_value():
        raise BadRow(f"{name} is not whole milliseconds")
    return moment_of_milliseconds(f"{number:.0f}", name)


def _market_id(row: Row, name: str) -> str:
    text = row.text(name, length_max=100)
    if not MARKET_ID.fullmatch(text):
        raise BadRow(f"{name} has not the form of one")
    return text
