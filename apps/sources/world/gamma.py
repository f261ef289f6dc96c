"""Gamma's window: `/markets`, `/events` and their keyset forms."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from apps.sources.world.answers import as_json
from apps.sources.world.gamma_objects import (
    event_id,
    event_object,
    event_summary,
    market_id,
    market_object,
)
from apps.sources.world.gamma_query import Listing, ListKind
from apps.sources.world.gamma_terms import Wire
from apps.sources.world.recording import RecordedMarket
from apps.sources.world.world import World

FLAGS = ("closed", "active", "archived")
MARKET_NAMES = ("id", "slug", "condition_ids", "clob_token_ids")
EVENT_NAMES = ("id", "slug")

MARKETS = ListKind(FLAGS, MARKET_NAMES, limit_max=100, hides_closed=True, is_keyset=False)
MARKETS_KEYSET = ListKind(FLAGS, MARKET_NAMES, limit_max=100, hides_closed=True, is_keyset=True)
EVENTS = ListKind(FLAGS, EVENT_NAMES, limit_max=100, hides_closed=False, is_keyset=False)
EVENTS_KEYSET = ListKind(FLAGS, EVENT_NAMES, limit_max=500, hides_closed=False, is_keyset=True)


class Gamma:
    """Answers as gamma-api.polymarket.com does, below a path prefix."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Return the routes of this window."""
        return [
            web.get(f"{prefix}/markets", self.markets),
            web.get(f"{prefix}/markets/keyset", self.markets_keyset),
            web.get(f"{prefix}/events", self.events),
            web.get(f"{prefix}/events/keyset", self.events_keyset),
        ]

    async def markets(self, request: web.Request) -> web.Response:
        """Answer a bare array of markets, each with its event."""
        listing = MARKETS.read(request.query)
        return as_json(listing.page(self._rows(listing, _market_names, self._market)))

    async def markets_keyset(self, request: web.Request) -> web.Response:
        """Answer `{"markets": [...], "next_cursor"}`; the cursor is absent on the last page."""
        listing = MARKETS_KEYSET.read(request.query)
        page, cursor = listing.keyset_page(self._rows(listing, _market_names, self._market))
        return as_json({"markets": page} | ({"next_cursor": cursor} if cursor else {}))

    async def events(self, request: web.Request) -> web.Response:
        """Answer a bare array of events with their markets inside."""
        listing = EVENTS.read(request.query)
        return as_json(listing.page(self._rows(listing, _event_names, self._event)))

    async def events_keyset(self, request: web.Request) -> web.Response:
        """Answer `{"events": [...], "next_cursor"}`; the cursor is absent on the last page."""
        listing = EVENTS_KEYSET.read(request.query)
        page, cursor = listing.keyset_page(self._rows(listing, _event_names, self._event))
        return as_json({"events": page} | ({"next_cursor": cursor} if cursor else {}))

    def _rows(
        self,
        listing: Listing,
        names: Callable[[RecordedMarket], dict[str, frozenset[str]]],
        build: Callable[[RecordedMarket, int], Wire],
    ) -> list[Wire]:
        at_ms = self.world.at_ms()
        fitting = [market for market in self.world.listed(at_ms) if listing.fits(_flags(market, at_ms), names(market))]
        return [build(market, at_ms) for market in fitting]

    def _market(self, market: RecordedMarket, at_ms: int) -> Wire:
        timeline = self.world.timeline
        return market_object(market, at_ms, timeline) | {"events": [event_summary(market, at_ms, timeline)]}

    def _event(self, market: RecordedMarket, at_ms: int) -> Wire:
        return event_object(market, at_ms, self.world.timeline)


def _flags(market: RecordedMarket, at_ms: int) -> dict[str, bool]:
    return {"closed": at_ms >= market.closes_ms, "active": True, "archived": False}


def _market_names(market: RecordedMarket) -> dict[str, frozenset[str]]:
    return {
        "id": frozenset({market_id(market)}),
        "slug": frozenset({market.slug}),
        "condition_ids": frozenset({market.condition_id}),
        "clob_token_ids": frozenset(track.token_id for track in market.tracks),
    }


def _event_names(market: RecordedMarket) -> dict[str, frozenset[str]]:
    return {"id": frozenset({event_id(market)}), "slug": frozenset({market.slug})}
