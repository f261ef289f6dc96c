"""Finnhub's quote as it is on the wire, read strictly.

Built from the vendor's public documents: one object of short names (`c` the price now, `pc` the last close, `t` whole
seconds). A share that it does not know is answered with zeros, not with an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadAnswer, BadRow, NotAtVendor
from apps.sources.strict import Row, as_mapping, excerpt_of, parse_json

LOWEST = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class WireQuote:
    """The price of one share now and at the last close, and when it was traded."""

    price: Decimal
    last_close: Decimal | None
    at: datetime


def read_quote(body: bytes) -> WireQuote:
    """Read a quote. Raises BadAnswer, and NotAtVendor for the zeros of an unknown share."""
    value = as_mapping(parse_json(body), what="the quote")
    if "error" in value:
        raise BadAnswer("the vendor reports an error", excerpt=excerpt_of(body))
    if value.get("c") == 0 and value.get("t") == 0:
        raise NotAtVendor("finnhub answers with zeros: it does not know the share")
    row = Row(dict(value))
    try:
        last_close = row.number("pc", low=Decimal(0)) if row.has("pc") else None
        return WireQuote(price=row.number("c", low=LOWEST), last_close=last_close or None, at=row.seconds_moment("t"))
    except BadRow as error:
        raise BadAnswer(f"the quote is not believable: {error.reason}", excerpt=excerpt_of(body)) from error
