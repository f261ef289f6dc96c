"""A world that waits begins with the first call of a vendor's window, not with its process."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient, TestServer

from apps.sources.world.errors import WorldRefused
from apps.sources.world.options import Options
from apps.sources.world.recording import load_recording
from apps.sources.world.server import build_app, build_world


def _options(**changes):
    values = {
        "port": 0,
        "host": "127.0.0.1",
        "speed": 60.0,
        "bar_every_s": 600.0,
        "markets": 2,
        "waits": True,
        "state": None,
        "ready_file": None,
    }
    return Options(**{**values, **changes})


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def test_time_stands_still_until_it_begins():
    clock = Clock()
    world = build_world(_options(), clock)
    begins_ms = world.recording.begins_ms
    clock.now_s += 30
    assert world.at_ms() == begins_ms
    world.begin()
    clock.now_s += 10
    assert abs(world.at_ms() - (begins_ms + 600_000)) <= 1


async def _first_calls(world, clock):
    async with TestClient(TestServer(build_app(world))) as client:
        await client.get("/_world/status")
        clock.now_s += 30
        stood_ms = world.at_ms()
        await client.get("/gamma/markets")
        clock.now_s += 10
        return stood_ms, world.at_ms()


def test_the_status_page_does_not_begin_it_and_a_vendor_does():
    import asyncio

    clock = Clock()
    world = build_world(_options(), clock)
    stood_ms, ran_ms = asyncio.run(_first_calls(world, clock))
    assert stood_ms == world.recording.begins_ms
    assert abs(ran_ms - stood_ms - 600_000) <= 1


def test_only_the_first_markets_are_played():
    everything = load_recording()
    assert [market.slug for market in load_recording(first=3).markets] == [market.slug for market in everything.markets[:3]]


@pytest.mark.parametrize("count", [0, -1])
def test_playing_no_market_is_refused(count):
    with pytest.raises(WorldRefused, match="--markets"):
        _options(markets=count).checked()
