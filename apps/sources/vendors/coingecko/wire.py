"""CoinGecko's market list as it is on the wire, read strictly.

Built from the vendor's public documents: numbers are JSON numbers, null where the vendor has none; `last_updated` is
ISO 8601. An error is an object with `status.error_code`, or with `error`.
"""

from __future__ import annotations

from decimal import Decimal

from apps.sources.coins import Coin
from apps.sources.errors import BadAnswer, QuotaSpent
from apps.sources.strict import Row, as_rows, excerpt_of, parse_json

LOWEST = Decimal("0.000000000001")
CHANGE_MIN, CHANGE_MAX = Decimal(-100), Decimal(1_000_000)
TOO_MANY_REQUESTS = 429


def read_coins(body: bytes) -> list[object]:
    """Return the raw coins of an answer. Raises BadAnswer and QuotaSpent."""
    value = parse_json(body)
    if isinstance(value, dict):
        status = value.get("status")
        if isinstance(status, dict) and status.get("error_code") == TOO_MANY_REQUESTS:
            raise QuotaSpent(f"coingecko: {excerpt_of(status.get('error_message'))[:200]}", retry_after_s=60.0)
        raise BadAnswer("the vendor reports an error", excerpt=excerpt_of(body))
    return as_rows(value, what="the list of coins")


def read_coin(value: object) -> Coin:
    """Read one coin. Raises BadRow."""
    row = Row(value)
    return Coin(
        id=row.text("id", length_max=100),
        name=row.text("name", length_max=200),
        price=row.number("current_price", low=LOWEST),
        change=row.number("price_change_percentage_24h", low=CHANGE_MIN, high=CHANGE_MAX)
        if row.has("price_change_percentage_24h")
        else None,
        volume=row.number("total_volume", low=Decimal(0)) if row.has("total_volume") else None,
        market_cap=row.number("market_cap", low=Decimal(0)) if row.has("market_cap") else None,
        at=row.moment_or_none("last_updated"),
    )
