"""The process: build the world, listen, keep the place on disk, stop cleanly."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from apps.sources.world.answers import Refusal, as_json
from apps.sources.world.clob import Clob
from apps.sources.world.errors import WorldRefused
from apps.sources.world.fault_desk import FaultDesk
from apps.sources.world.fault_plan import Program, read_faults
from apps.sources.world.faults import injecting
from apps.sources.world.gamma import Gamma
from apps.sources.world.options import Options
from apps.sources.world.recording import load_recording
from apps.sources.world.state import read_place, write_place, write_whole
from apps.sources.world.status import VENDORS, Status
from apps.sources.world.tape import load_tape
from apps.sources.world.timeline import Timeline, is_crash_restart, resumed
from apps.sources.world.world import World
from apps.sources.world.yahoo import Yahoo

SAVE_EVERY_S = 1.0
STOP_WITHIN_S = 0.5
BODY_MAX = 1 << 20


def build_world(options: Options, now_s: Callable[[], float]) -> World:
    """Load the recording and take the place from the state file, or begin now. Raises WorldRefused."""
    program = _program(options.faults, now_s())
    recording = load_recording(first=options.markets)
    begins_ms = recording.begins_ms
    place = read_place(options.state) if options.state else None
    if place is None:
        timeline = Timeline(now_s(), begins_ms, options.speed)
    else:
        timeline = resumed(place, speed=options.speed, now_s=now_s(), anchor_recorded_ms=begins_ms)
    world = World(recording=recording, tape=load_tape(options.bar_every_s), timeline=timeline, now_s=now_s, program=program)
    if options.waits and not (place and is_crash_restart(place, now_s())):
        world.wait()
    return world


def _program(path: Path | None, now_s: float) -> Program:
    """Read the fault file. Raises WorldRefused."""
    if path is None:
        return Program()
    try:
        return Program.starting(read_faults(path.read_bytes(), vendors=VENDORS), now_s=now_s)
    except WorldRefused as refusal:
        raise WorldRefused(f"--faults {path}: {refusal}") from None


def build_app(world: World, *middlewares: Middleware) -> web.Application:
    """Mount every window; the faults and then `middlewares` sit between the counting and the windows."""
    layers = [_counting(world), injecting(world), *middlewares, _refusing]
    app = web.Application(middlewares=layers, client_max_size=BODY_MAX)
    app.add_routes(Gamma(world).routes("/gamma"))
    app.add_routes(Clob(world).routes("/clob"))
    app.add_routes(Yahoo(world).routes("/yahoo"))
    app.add_routes(Status(world).routes())
    app.add_routes(FaultDesk(world).routes())
    return app


def _counting(world: World) -> Middleware:
    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        vendor = request.path.split("/", 2)[1]
        if vendor in VENDORS:
            if world.waits_at_ms is not None:
                world.begin()
            world.requests[vendor] += 1
        return await handler(request)

    return count


@web.middleware
async def _refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn a window's refusal into the vendor's own error body."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return as_json(refusal.body, refusal.status)


async def serve(options: Options, now_s: Callable[[], float]) -> None:
    """Play until SIGTERM or SIGINT. Raises WorldRefused when it cannot start."""
    world = build_world(options, now_s)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _listening(build_app(world), options) as url:
        sys.stdout.write(f"recorded world: {url}, speed {options.speed:g}\n")
        sys.stdout.flush()
        with _ready(options.ready_file, url):
            await _keep_place(world, options.state, stop)


@asynccontextmanager
async def _listening(app: web.Application, options: Options) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_WITHIN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port)
        try:
            await site.start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise WorldRefused(f"cannot listen on {options.host}:{options.port}: {reason}") from error
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@contextmanager
def _ready(path: Path | None, url: str) -> Iterator[None]:
    """Keep the ready file there while the server listens."""
    if path is None:
        yield
        return
    port = int(url.rpartition(":")[2])
    write_whole(path, json.dumps({"url": url, "port": port, "pid": os.getpid()}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


async def _keep_place(world: World, path: Path | None, stop: asyncio.Event) -> None:
    """Write the place every second until told to stop, and once more then."""
    while not stop.is_set():
        if path:
            write_place(path, world.place())
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), SAVE_EVERY_S)
    if path:
        write_place(path, world.place())
