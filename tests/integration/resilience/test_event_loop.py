"""The event loop is never held up: not by a thousand documents, nor by bodies that unpack to tens of megabytes."""

from __future__ import annotations

import ast
import asyncio
import gzip
import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

import apps.resilience
from apps.resilience import Client, FallbackStore, MemoryStore, Pace, Policy, Response
from apps.resilience.bulkhead import BulkheadRule
from tests.integration.resilience.loop_watch import LoopWatch
from tests.integration.resilience.upstream import serving

HELD_UP_S_MAX = 0.1
BIG_BYTES = 40_000_000
BLOCKING = {
    ("time", "sleep"),
    ("subprocess", "run"),
    ("socket", "getaddrinfo"),
    ("socket", "create_connection"),
    ("requests", "get"),
}


@pytest.fixture(scope="module")
def big_body() -> bytes:
    """A gzip of a list of numbers that unpacks to tens of megabytes and takes its time."""
    numbers = random.Random(7)
    piece = json.dumps([numbers.random() for _ in range(50_000)]).encode()
    return gzip.compress(piece * (BIG_BYTES // len(piece)), compresslevel=1)


@pytest.fixture(scope="module")
def port(big_body) -> Iterator[int]:
    """The port of a server in a thread of its own: its work is not the watched loop's."""
    ports: list[int] = []
    is_up, stop = threading.Event(), threading.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path.startswith("/big"):
            return web.Response(body=big_body, headers={"Content-Encoding": "gzip"})
        return web.Response(body=b'{"price":"0.5"}', content_type="application/json")

    async def serve() -> None:
        server = await serving(answer)
        ports.append(server.port or 0)
        is_up.set()
        await asyncio.get_running_loop().run_in_executor(None, stop.wait)
        await server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert is_up.wait(10)
    yield ports[0]
    stop.set()
    thread.join(10)


def test_the_watch_sees_a_loop_that_is_held_up(big_body):
    async def scene() -> float:
        async with LoopWatch() as watch:
            gzip.decompress(big_body)
        return watch.longest_s

    assert asyncio.run(scene()) > HELD_UP_S_MAX


def test_a_thousand_documents_and_three_huge_ones_do_not_hold_it_up(port):
    async def scene() -> tuple[list[object], float]:
        store = FallbackStore(MemoryStore(), MemoryStore())
        client = Client(store=store, allowed_hosts={("127.0.0.1", port)}, per_host=100)
        policy = Policy(
            key="vendor",
            pace=Pace.per_minute(600_000, burst=2_000),
            bulkhead=BulkheadRule(concurrent=100),
            body_bytes_max=2 * BIG_BYTES,
        )
        paths = [f"/doc/{number}" for number in range(997)] + [f"/big/{number}" for number in range(3)]
        async with LoopWatch() as watch:
            outcomes = await client.fetch_batch([f"http://127.0.0.1:{port}{path}" for path in paths], policy)
        await client.close()
        sizes: list[object] = [len(outcome.body) if isinstance(outcome, Response) else outcome for outcome in outcomes]
        return sizes, watch.longest_s

    sizes, longest_s = asyncio.run(scene())
    assert sizes[:997] == [15] * 997
    assert all(isinstance(size, int) and size > BIG_BYTES * 0.9 for size in sizes[997:])
    assert longest_s < HELD_UP_S_MAX


def test_names_are_resolved_in_threads(monkeypatch):
    from apps.resilience import AddressRefused, Request

    threads: list[bool] = []

    def resolving(*_: object, **__: object) -> list[object]:
        threads.append(threading.current_thread() is threading.main_thread())
        return [(2, 1, 6, "", ("10.0.0.1", 80))]

    monkeypatch.setattr("socket.getaddrinfo", resolving)

    async def scene() -> None:
        client = Client(store=MemoryStore())
        with pytest.raises(AddressRefused):
            await client.send(Request(operation="ask", url="http://vendor.example/"), Policy(key="vendor"))
        await client.close()

    asyncio.run(scene())
    assert threads == [False]


def test_nothing_in_the_kit_calls_what_blocks():
    found = []
    for path in Path(apps.resilience.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                name = (node.func.value.id, node.func.attr)
                found += [f"{path.name}:{node.lineno} {name}"] if name in BLOCKING else []
    # The sync face of a limiter waits in its caller's own thread, through its clock; see clock.py.
    assert [place for place in found if not place.startswith("clock.py")] == []
