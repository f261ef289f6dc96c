"""The windows read the recorded world over real HTTP exactly as the recording has it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from apps.resilience import Client, MemoryStore
from apps.sources.calling import Journal, VendorCaller
from apps.sources.registry import Connection, connection_of, vendor_of
from apps.sources.vendors.polymarket_clob import feed as clob
from apps.sources.vendors.polymarket_gamma import feed as gamma
from apps.sources.vendors.yahoo import feed as yahoo
from apps.sources.world.recording import Recording, load_recording
from apps.sources.world.server import build_app
from apps.sources.world.tape import Tape, load_tape
from apps.sources.world.timeline import Timeline
from apps.sources.world.world import World

# A little ago: a window believes no book of the future and none of long ago.
ANCHOR_S = float(round(time.time()) - 3600)
PREFIXES = {"polymarket_gamma": "gamma", "polymarket_clob": "clob", "yahoo": "yahoo"}
Scene = Callable[["Visit"], Awaitable[None]]


class Visit:
    """A world whose time the test turns, and callers for its three windows."""

    def __init__(self, recording: Recording, tape: Tape) -> None:
        self.now_s = ANCHOR_S
        self.world = World(recording, tape, Timeline(ANCHOR_S, recording.begins_ms, 60.0), lambda: self.now_s)

    def go_to(self, recorded_ms: float) -> None:
        timeline = self.world.timeline
        self.now_s = timeline.anchor_wire_s + (recorded_ms - timeline.anchor_recorded_ms + 0.5) / 1000 / timeline.speed

    async def play(self, scene: Scene) -> None:
        server = TestServer(build_app(self.world))
        await server.start_server()
        client = Client(store=MemoryStore(), allowed_hosts={("127.0.0.1", server.port or 0)})
        self.callers = {slug: self.caller(client, slug, str(server.make_url(f"/{PREFIXES[slug]}"))) for slug in PREFIXES}
        try:
            await scene(self)
        finally:
            await client.close()
            await server.close()

    def caller(self, client: Client, slug: str, url: str) -> VendorCaller:
        given = connection_of(vendor_of(slug))
        connection = Connection(base_url=url, pace=given.pace, policy=replace(given.policy, pace=None))
        return VendorCaller(client=client, slug=slug, connection=connection, journal=Journal(operation="test"))


@pytest.fixture(scope="module")
def recorded() -> tuple[Recording, Tape]:
    return load_recording(), load_tape(600.0)


@pytest.fixture
def on_stage(recorded: tuple[Recording, Tape]) -> Callable[[Scene], None]:
    return lambda scene: asyncio.run(Visit(*recorded).play(scene))


def test_every_market_is_listed_while_it_is_open_and_ends_as_it_really_did(on_stage):
    async def scene(visit: Any) -> None:
        caller = visit.callers["polymarket_gamma"]
        for market in visit.world.recording.markets:
            visit.go_to(market.closes_ms - 1_000)
            listed = await gamma.open_markets(caller)
            assert listed.rejected == ()
            assert market.condition_id in {record.key for record in listed.records}
            visit.go_to(market.resolves_ms)
            (record,) = (await gamma.market_states(caller, [market.condition_id])).records
            assert record.resolution is not None
            payouts = dict(zip([outcome.label for outcome in record.outcomes], record.resolution.payouts, strict=True))
            assert (record.closed, record.resolution.status) == (True, "final")
            assert payouts == {label: Decimal(str(payout)) for label, payout in payouts_of(market).items()}
        assert len(visit.world.recording.markets) == 18

    on_stage(scene)


def payouts_of(market: Any) -> dict[str, Any]:
    return {track.label: track.payout for track in market.tracks}


def test_a_proposed_result_is_not_yet_a_final_one(on_stage):
    async def scene(visit: Any) -> None:
        for market in visit.world.recording.markets:
            visit.go_to(market.resolves_ms - 1_000)
            (record,) = (await gamma.market_states(visit.callers["polymarket_gamma"], [market.condition_id])).records
            assert record.closed
            assert record.resolution is None or record.resolution.status == "proposed"

    on_stage(scene)


def test_books_have_every_level_of_the_recording_best_first(on_stage):
    async def scene(visit: Any) -> None:
        dice, levels = Random(11), 0
        for market in visit.world.recording.markets:
            visit.go_to(dice.randint(market.opens_ms, market.closes_ms - 1))
            keys = [track.token_id for track in market.tracks]
            gathered = await clob.books(visit.callers["polymarket_clob"], keys)
            assert gathered.rejected == ()
            for book in gathered.records:
                _, track = visit.world.recording.by_token[book.outcome_key]
                snapshot = track.book(visit.world.at_ms())
                for side, recorded_side in ((book.bids, snapshot.bids), (book.asks, snapshot.asks)):
                    assert len(side) == len(recorded_side)
                    for level, (price, units) in zip(side, recorded_side, strict=True):
                        assert math.isclose(level.price, price, abs_tol=1e-9)
                        assert math.isclose(level.units, units, abs_tol=1e-6)
                        levels += 1
        assert levels > 300

    on_stage(scene)


def test_candles_are_final_in_order_and_without_a_fault(on_stage):
    async def scene(visit: Any) -> None:
        visit.go_to(visit.world.recording.begins_ms + 3_600_000)
        for symbol in vendor_of("yahoo").default_keys:
            chart = await yahoo.candles(visit.callers["yahoo"], symbol, None)
            moments = [bar.closes_at for bar in chart.bars.records]
            assert len(moments) >= 750
            assert moments == sorted(set(moments))
            assert all(bar.final for bar in chart.bars.records)
            assert chart.bars.rejected == ()
            newer = await yahoo.candles(visit.callers["yahoo"], symbol, moments[-3])
            assert [bar.closes_at for bar in newer.bars.records] == moments[-3:]

    on_stage(scene)
