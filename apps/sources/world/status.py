"""The world about itself, for the machine room and for tests: `GET /_world/status`, from this machine only."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from aiohttp import web

from apps.sources.world.answers import Refusal, as_json, as_number
from apps.sources.world.recording import RecordedMarket
from apps.sources.world.timeline import Timeline, as_iso
from apps.sources.world.world import World

VENDORS = ("gamma", "clob", "yahoo")


class Status:
    """Tells how far the world has come."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        """Return the one route."""
        return [web.get("/_world/status", self.status)]

    async def status(self, request: web.Request) -> web.Response:
        """Answer the status to a caller on this machine; anyone else finds nothing here."""
        if request.remote is None or not ip_address(request.remote).is_loopback:
            raise Refusal(404, {"error": "not found"})
        return as_json(status_object(self.world))


def status_object(world: World) -> dict[str, Any]:
    """Build the status. `position_at` is recorded time; all other moments are wire time."""
    at_ms = world.at_ms()
    timeline = world.timeline
    is_finished = world.is_finished(at_ms)
    return {
        "speed": timeline.speed,
        "state": "finished" if is_finished else "playing",
        "position_at": as_iso(at_ms),
        "anchor_real_at": as_iso(round(timeline.anchor_wire_s * 1000)),
        "ends_at": as_iso(timeline.wire_ms(world.recording.finished_ms)),
        "finished": is_finished,
        "markets": [_market(market, timeline) for market in world.recording.markets],
        "bars_played": world.tape.bars_played(timeline, at_ms),
        "requests": {vendor: world.requests[vendor] for vendor in VENDORS},
        "faults": dict(sorted(world.struck.items())),
    }


def _market(market: RecordedMarket, timeline: Timeline) -> dict[str, Any]:
    return {
        "slug": market.slug,
        "condition_id": market.condition_id,
        "opens_at": as_iso(timeline.wire_ms(market.opens_ms)),
        "closes_at": as_iso(timeline.wire_ms(market.ends_ms)),
        "resolves_at": as_iso(timeline.wire_ms(market.resolves_ms)),
        "payouts": {track.label: as_number(track.payout) for track in market.tracks},
    }
