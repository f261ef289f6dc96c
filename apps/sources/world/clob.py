"""The CLOB's window: `/book`, `/books`, `/prices-history`, `/markets`.

Levels are strings, the best level comes last on both sides, `timestamp` is milliseconds in a string. A book exists
from the first snapshot until trading stops; afterwards the venue knows it no more.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha1
from typing import Any

from aiohttp import web

from apps.sources.world.answers import Refusal, as_json, as_number, read_json
from apps.sources.world.gamma_objects import last_price
from apps.sources.world.history import history
from apps.sources.world.recording import RecordedMarket, Snapshot, Track
from apps.sources.world.timeline import Timeline, as_iso
from apps.sources.world.world import World

BOOKS_MAX = 500
PAGE = 500
FIRST_CURSOR, END_CURSOR = "MA==", "LTE="  # "0" and "-1" in base64, as the vendor writes them

NO_BOOK = Refusal(404, {"error": "No orderbook exists for the requested token id"})
NO_TOKEN = Refusal(400, {"error": "Invalid token id"})
NO_MARKET = Refusal(404, {"error": "market not found"})
BAD_PAYLOAD = Refusal(400, {"error": "Invalid payload"})
TOO_MANY = Refusal(400, {"error": "Payload exceeds the limit"})
BAD_CURSOR = Refusal(400, {"error": "invalid next_cursor"})


class Clob:
    """Answers as clob.polymarket.com does, below a path prefix."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Return the routes of this window."""
        return [
            web.get(f"{prefix}/book", self.book),
            web.post(f"{prefix}/books", self.books),
            web.get(f"{prefix}/prices-history", self.prices_history),
            web.get(f"{prefix}/markets", self.markets),
            web.get(f"{prefix}/markets/{{condition_id}}", self.market),
        ]

    async def book(self, request: web.Request) -> web.Response:
        """Answer one book; 404 for a token without one."""
        token = request.query.get("token_id")
        if not token:
            raise NO_TOKEN
        book = self._book(token, self.world.at_ms())
        if book is None:
            raise NO_BOOK
        return as_json(book)

    async def books(self, request: web.Request) -> web.Response:
        """Answer the books of the tokens that have one; the others are left out."""
        wanted = await read_json(request, BAD_PAYLOAD)
        if not isinstance(wanted, list) or not all(isinstance(item, dict) and "token_id" in item for item in wanted):
            raise BAD_PAYLOAD
        if len(wanted) > BOOKS_MAX:
            raise TOO_MANY
        at_ms = self.world.at_ms()
        books = (self._book(str(item["token_id"]), at_ms) for item in wanted)
        return as_json([book for book in books if book is not None])

    async def prices_history(self, request: web.Request) -> web.Response:
        """Answer the mids of one token over a window; an unknown token has an empty history."""
        return as_json({"history": history(self.world, request.query)})

    async def markets(self, request: web.Request) -> web.Response:
        """Answer one page of all listed markets, open and closed."""
        first = _offset(request.query.get("next_cursor") or FIRST_CURSOR)
        at_ms = self.world.at_ms()
        listed = self.world.listed(at_ms)
        page = [_market(market, at_ms, self.world.timeline) for market in listed[first : first + PAGE]]
        end = first + PAGE
        cursor = base64.b64encode(str(end).encode()).decode() if end < len(listed) else END_CURSOR
        return as_json({"data": page, "next_cursor": cursor, "limit": PAGE, "count": len(page)})

    async def market(self, request: web.Request) -> web.Response:
        """Answer one market by its condition id."""
        at_ms = self.world.at_ms()
        market = self.world.recording.by_condition.get(request.match_info["condition_id"])
        if market is None or market.phase(at_ms) == "unlisted":
            raise NO_MARKET
        return as_json(_market(market, at_ms, self.world.timeline))

    def _book(self, token: str, at_ms: int) -> dict[str, Any] | None:
        market, track = self.world.recording.by_token.get(token, (None, None))
        if market is None or track is None or market.phase(at_ms) != "open":
            return None
        snapshot = track.book(at_ms)
        return None if snapshot is None else book_object(market, track, snapshot, self.world.timeline)


def book_object(market: RecordedMarket, track: Track, snapshot: Snapshot, timeline: Timeline) -> dict[str, Any]:
    """Build one book as the venue sends it."""
    tick = market.tick(snapshot.at_ms)
    bids, asks = _levels(snapshot.bids), _levels(snapshot.asks)
    print_of_book = sha1(f"{track.token_id}{snapshot.at_ms}{bids}{asks}".encode(), usedforsecurity=False)
    return {
        "market": market.condition_id,
        "asset_id": track.token_id,
        "timestamp": str(timeline.wire_ms(snapshot.at_ms)),
        "hash": print_of_book.hexdigest(),
        "bids": bids,
        "asks": asks,
        "min_order_size": "5",
        "tick_size": as_number(tick),
        "neg_risk": False,
        "last_trade_price": as_number(last_price(snapshot, tick)),
    }


def _levels(levels: list[tuple[float, float]]) -> list[dict[str, str]]:
    return [{"price": as_number(price), "size": as_number(units)} for price, units in reversed(levels)]


def _market(market: RecordedMarket, at_ms: int, timeline: Timeline) -> dict[str, Any]:
    is_closed = at_ms >= market.closes_ms
    return {
        "enable_order_book": True,
        "active": True,
        "closed": is_closed,
        "archived": False,
        "accepting_orders": not is_closed,
        "accepting_order_timestamp": as_iso(timeline.wire_ms(market.opens_ms)),
        "minimum_order_size": 5,
        "minimum_tick_size": market.tick(at_ms),
        "condition_id": market.condition_id,
        "question": market.question,
        "market_slug": market.slug,
        "end_date_iso": as_iso(timeline.wire_ms(market.ends_ms)),
        "game_start_time": None,
        "seconds_delay": 0,
        "fpmm": "",
        "maker_base_fee": 1000,
        "taker_base_fee": 1000,
        "notifications_enabled": False,
        "neg_risk": False,
        "neg_risk_market_id": "",
        "neg_risk_request_id": "",
        "icon": "",
        "image": "",
        "rewards": {"rates": None, "min_size": 50, "max_spread": 4.5},
        "is_50_50_outcome": False,
        "tokens": [_token(market, track, at_ms) for track in market.tracks],
        "tags": [market.category.title()],
    }


def _token(market: RecordedMarket, track: Track, at_ms: int) -> dict[str, Any]:
    is_final = market.phase(at_ms) == "resolved"
    book = track.book(at_ms)
    price = track.payout if is_final else book.mid if book else 0.5
    return {
        "token_id": track.token_id,
        "outcome": track.label,
        "price": round(price, 4),
        "winner": is_final and track.payout == 1.0,
    }


def _offset(cursor: str) -> int:
    try:
        offset = int(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError):
        raise BAD_CURSOR from None
    if offset < 0:
        raise BAD_CURSOR
    return offset
