"""Small true-to-form objects of the three wires, for tests to bend."""

from __future__ import annotations

import json
import time
from typing import Any

CONDITION_ID = "0x" + "ab" * 32
TOKENS = ("1" * 77, "2" * 77)


def gamma_market(**changes: Any) -> dict[str, Any]:
    """Return an open market as Gamma writes it; a change to None leaves the field out."""
    market = {
        "id": "1",
        "conditionId": CONDITION_ID,
        "slug": "btc-up-or-down",
        "question": "Bitcoin up or down?",
        "outcomes": '["Up", "Down"]',
        "outcomePrices": '["0.505", "0.495"]',
        "clobTokenIds": json.dumps(list(TOKENS)),
        "volume": "30335.869374999984",
        "volumeNum": 30335.869374999984,
        "startDate": "2026-06-07T00:02:58.730402Z",
        "eventStartTime": "2026-06-07T23:55:00Z",
        "endDate": "2026-06-08T00:00:00Z",
        "updatedAt": "2026-06-07T23:56:00.1Z",
        "active": True,
        "closed": False,
        "archived": False,
        "acceptingOrders": True,
        "feesEnabled": True,
        "feeType": "crypto_fees_v2",
        "feeSchedule": {"rate": 0.07, "exponent": 1, "takerOnly": True, "rebateRate": 0.2},
        "orderMinSize": 5,
        "orderPriceMinTickSize": 0.01,
        "events": [
            {"id": "77", "title": "Bitcoin today", "startDate": "2026-06-07T00:00:00Z", "endDate": "2026-06-08T00:00:00Z"}
        ],
    }
    return _changed(market, changes)


def settled(**changes: Any) -> dict[str, Any]:
    """Return the same market after its resolution."""
    ended = {
        "closed": True,
        "acceptingOrders": False,
        "closedTime": "2026-06-08 00:00:16+00",
        "umaResolutionStatus": "resolved",
        "outcomePrices": '["1", "0"]',
    }
    return gamma_market(**{**ended, **changes})


def clob_book(**changes: Any) -> dict[str, Any]:
    """Return a book of this moment as the CLOB writes it: texts, best level last."""
    book = {
        "market": CONDITION_ID,
        "asset_id": TOKENS[0],
        "timestamp": str(round(time.time() * 1000)),
        "hash": "0f" * 20,
        "bids": [{"price": "0.4", "size": "100"}, {"price": "0.49", "size": "20.5"}],
        "asks": [{"price": "0.6", "size": "7"}, {"price": "0.51", "size": "3"}],
        "min_order_size": "5",
        "tick_size": "0.01",
        "neg_risk": False,
    }
    return _changed(book, changes)


def yahoo_chart(**changes: Any) -> dict[str, Any]:
    """Return a chart answer of three bars, one of them without trade; `changes` bend its meta."""
    meta = {
        "currency": "USD",
        "symbol": "^GSPC",
        "exchangeName": "SNP",
        "instrumentType": "INDEX",
        "regularMarketTime": 1_780_876_800,
        "regularMarketPrice": 12.75,
        "longName": "S&P 500",
        "currentTradingPeriod": {"regular": {"start": 1_780_850_000, "end": 1_780_876_800}},
    }
    quote = {
        "open": [10.0, None, 12.5],
        "high": [11.0, None, 13.0],
        "low": [9.5, None, 12.0],
        "close": [10.5, None, 12.75],
        "volume": [1000, None, 2000],
    }
    times = [1_780_704_000, 1_780_790_400, 1_780_876_800]
    result = {"meta": _changed(meta, changes), "timestamp": times, "indicators": {"quote": [quote]}}
    return {"chart": {"result": [result], "error": None}}


def as_body(value: Any) -> bytes:
    """Return a value as the bytes of a body."""
    return json.dumps(value).encode()


def _changed(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}
