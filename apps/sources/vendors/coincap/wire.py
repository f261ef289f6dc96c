"""CoinCap's assets as they are on the wire, read strictly.

Built from the vendor's public documents: `{"timestamp": milliseconds, "data": [...]}`, every number of an asset a text
with many digits, null where the vendor has none. An error is an object with `error` or `message`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.coins import Coin
from apps.sources.errors import BadAnswer, BadRow
from apps.sources.strict import Row, as_mapping, as_rows, excerpt_of, moment_of_milliseconds, parse_json

LOWEST = Decimal("0.000000000001")
CHANGE_MIN, CHANGE_MAX = Decimal(-100), Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAssets:
    """The raw coins of an answer and the moment that they are of."""

    coins: list[object]
    at: datetime | None


def read_assets(body: bytes) -> WireAssets:
    """Read an answer's frame. Raises BadAnswer."""
    frame = as_mapping(parse_json(body), what="the answer with assets")
    if "data" not in frame and ("error" in frame or "message" in frame):
        raise BadAnswer("the vendor reports an error", excerpt=excerpt_of(body))
    try:
        at = moment_of_milliseconds(str(frame["timestamp"]), "timestamp") if frame.get("timestamp") is not None else None
    except BadRow as error:
        raise BadAnswer(error.reason, excerpt=excerpt_of(body)) from error
    return WireAssets(coins=as_rows(frame.get("data"), what="the list of assets"), at=at)


def read_coin(value: object, at: datetime | None) -> Coin:
    """Read one coin of an answer that is of `at`. Raises BadRow."""
    row = Row(value)
    has_change = row.has("changePercent24Hr")
    return Coin(
        id=row.text("id", length_max=100),
        name=row.text("name", length_max=200),
        price=row.number_text("priceUsd", low=LOWEST),
        change=row.number_text("changePercent24Hr", low=CHANGE_MIN, high=CHANGE_MAX) if has_change else None,
        volume=row.number_text("volumeUsd24Hr", low=Decimal(0)) if row.has("volumeUsd24Hr") else None,
        market_cap=row.number_text("marketCapUsd", low=Decimal(0)) if row.has("marketCapUsd") else None,
        at=at,
    )
