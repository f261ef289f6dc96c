"""Fetching prices of now from one source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.core.db import durable
from apps.sources.services.fetching import _fetch, _offered, _open_vendor
from apps.sources.types import Batch, TickerRecord


@durable
def fetch_tickers(*, source: str, symbols: Sequence[str], now: datetime, by: str) -> Batch[TickerRecord]:
    """Fetch the prices of these symbols from one source; those that it does not know are rejected by name.

    Raises what the other fetches raise.
    """
    vendor = _open_vendor(source, now=now, by=by)
    feed = _offered(vendor, vendor.tickers, "tickers")
    return _fetch(vendor, "tickers", lambda caller: feed(caller, symbols), now=now, by=by)
