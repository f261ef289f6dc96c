"""The world in this process, with a clock that the test turns, spoken to over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from apps.sources.world.recording import Recording, load_recording
from apps.sources.world.server import build_app
from apps.sources.world.tape import Tape, load_tape
from apps.sources.world.timeline import Timeline
from apps.sources.world.world import World

ANCHOR_S = 1_800_000_000.0


class Stage:
    """A world whose time stands still until the test moves it."""

    def __init__(self, recording: Recording, tape: Tape, speed: float) -> None:
        self.now_s = ANCHOR_S
        self.world = World(recording, tape, Timeline(ANCHOR_S, recording.begins_ms, speed), lambda: self.now_s)
        self.client: Any = None

    def go_to(self, recorded_ms: float) -> None:
        """Turn the clock so that this recorded moment has just happened."""
        timeline = self.world.timeline
        self.now_s = timeline.anchor_wire_s + (recorded_ms - timeline.anchor_recorded_ms + 0.5) / 1000 / timeline.speed

    async def get(self, path: str, **query: Any) -> Any:
        """Ask over HTTP and return the body of a 200."""
        async with self.client.get(path, params=query) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def refusal(self, path: str, **query: Any) -> tuple[int, Any]:
        """Ask over HTTP and return status and body."""
        async with self.client.get(path, params=query) as answer:
            return answer.status, await answer.json()


@pytest.fixture(scope="session")
def recording() -> Recording:
    return load_recording()


@pytest.fixture(scope="session")
def tape() -> Tape:
    return load_tape(600.0)


@pytest.fixture
def on_stage(recording: Recording, tape: Tape) -> Callable[..., None]:
    """Run a scene, an async function of the stage, against a listening server."""

    def run(scene: Callable[[Stage], Awaitable[None]], speed: float = 60.0) -> None:
        asyncio.run(play(scene, Stage(recording, tape, speed)))

    return run


async def play(scene: Callable[[Stage], Awaitable[None]], stage: Stage) -> None:
    async with TestClient(TestServer(build_app(stage.world))) as client:
        stage.client = client
        await scene(stage)
