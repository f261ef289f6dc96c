"""Small true-to-form objects of Kalshi's and Manifold's wires, and a caller that answers from a list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apps.core.errors import DeskError
from apps.sources.ports import Reply
from tests.factories.wires import as_body

NOW = datetime(2026, 6, 21, 18, 30, tzinfo=UTC)
TICKER = "KXHIGHNY-26JUN22-T85"
MANIFOLD_ID = "rIR6mWqaO9xKLifr6cLL"


class Answers:
    """A caller that answers from a list of bodies or errors, or from those of a path, and keeps the questions."""

    def __init__(self, *answers: bytes | DeskError, by_path: Mapping[str, bytes | DeskError] | None = None) -> None:
        self.answers = list(answers)
        self.by_path = by_path
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def get(self, path: str, params: Any = (), headers: Any = ()) -> Reply:
        self.asked.append((path, dict(params)))
        answer = self.answers.pop(0) if self.by_path is None else self.by_path[path]
        if isinstance(answer, DeskError):
            raise answer
        return Reply(body=answer, received_at=NOW)

    async def post(self, path: str, body: object, *, repeatable: bool = True) -> Reply:
        raise AssertionError("these vendors are never posted to")


def kalshi_market(**changes: Any) -> dict[str, Any]:
    """Return an open market as Kalshi writes it since 2026: money and counts in texts; a change to None leaves it out."""
    market = {
        "ticker": TICKER,
        "event_ticker": "KXHIGHNY-26JUN22",
        "market_type": "binary",
        "title": "Will the high temp in NYC be >85° on Jun 22, 2026?",
        "yes_sub_title": "86° or above",
        "no_sub_title": "86° or above",
        "status": "active",
        "result": "",
        "created_time": "0001-01-01T00:00:00Z",
        "updated_time": "2026-06-21T18:27:45.170256Z",
        "open_time": "2026-06-20T14:00:00Z",
        "close_time": "2026-06-23T04:59:00Z",
        "price_level_structure": "tapered_deci_cent",
        "price_ranges": [
            {"start": "0.0000", "end": "0.1000", "step": "0.0010"},
            {"start": "0.1000", "end": "0.9000", "step": "0.0100"},
            {"start": "0.9000", "end": "1.0000", "step": "0.0010"},
        ],
        "yes_bid_dollars": "0.4200",
        "yes_ask_dollars": "0.4450",
        "no_bid_dollars": "0.5550",
        "no_ask_dollars": "0.5800",
        "last_price_dollars": "0.4300",
        "volume_fp": "1205.50",
        "fractional_trading_enabled": True,
    }
    return _changed(market, changes)


def kalshi_old_market(**changes: Any) -> dict[str, Any]:
    """Return the same market as of January 2026: whole cents and counts beside dollars."""
    old = {
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        "tick_size": 1,
        "yes_bid": 42,
        "yes_ask": 44,
        "yes_ask_dollars": "0.4400",
        "no_bid": 56,
        "no_bid_dollars": "0.5600",
        "no_ask": 58,
        "last_price": 43,
        "volume": 1205,
        "volume_fp": None,
        "fractional_trading_enabled": None,
    }
    return kalshi_market(**{**old, **changes})


def kalshi_settled(**changes: Any) -> dict[str, Any]:
    """Return the same market after its end."""
    ended = {
        "status": "finalized",
        "result": "yes",
        "settlement_value_dollars": "1.0000",
        "settlement_ts": "2026-06-23T11:10:17Z",
    }
    return kalshi_market(**{**ended, **changes})


def kalshi_event(*markets: Any, **changes: Any) -> dict[str, Any]:
    """Return an event with its markets inside."""
    event = {
        "event_ticker": "KXHIGHNY-26JUN22",
        "series_ticker": "KXHIGHNY",
        "title": "Highest temperature in NYC on Jun 22, 2026?",
        "category": "Climate and Weather",
        "mutually_exclusive": True,
        "markets": list(markets),
    }
    return _changed(event, changes)


def kalshi_book(**changes: Any) -> dict[str, Any]:
    """Return the inside of a book as Kalshi writes it since 2026: bids only, best last."""
    return _changed({"yes_dollars": [["0.4100", "7.00"], ["0.4200", "13.50"]], "no_dollars": [["0.5550", "20.00"]]}, changes)


def manifold_market(**changes: Any) -> dict[str, Any]:
    """Return an open question as Manifold lists it."""
    market = {
        "id": MANIFOLD_ID,
        "question": "Will it rain in London tomorrow?",
        "url": "https://manifold.markets/ann/will-it-rain-in-london-tomorrow",
        "createdTime": 1_781_000_000_000,
        "closeTime": 1_782_200_000_000,
        "lastUpdatedTime": 1_782_060_000_123,
        "outcomeType": "BINARY",
        "mechanism": "cpmm-1",
        "probability": 0.20000000000000004,
        "p": 0.5,
        "pool": {"YES": 200, "NO": 49.999999999999986},
        "volume": 205.5,
        "isResolved": False,
        "token": "MANA",
    }
    return _changed(market, changes)


def manifold_resolved(resolution: str = "YES", **changes: Any) -> dict[str, Any]:
    """Return the same question after its maker has decided it."""
    ended = {
        "isResolved": True,
        "resolution": resolution,
        "closeTime": 1_782_000_000_000,
        "resolutionTime": 1_782_000_000_000,
        "resolutionProbability": 0.33,
    }
    return manifold_market(**{**ended, **changes})


def bodies(*values: Any) -> list[bytes]:
    """Return values as the bytes of bodies."""
    return [as_body(value) for value in values]


def _changed(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}
