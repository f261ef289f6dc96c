"""The other sides of the comparisons: a Valkey and a small HTTP server, each in a process of its own.

python -m benchmarks.servers PORT        serves /doc/N, a small JSON document, after ?wait_ms=
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from apps.backups.embedded import EmbeddedPostgres
from project.local.valkey import EmbeddedValkey

READY_S_MAX = 15.0
DOCUMENT = (
    b'{"id":%d,"slug":"will-it-rain-tomorrow","active":true,"closed":false,"outcomes":["Yes","No"],'
    b'"outcomePrices":["0.53","0.47"],"volume":"12345.67","question":"Will it rain tomorrow in the town of the bench?"}'
)


@contextmanager
def valkey() -> Iterator[str]:
    """Yield the address of `REDIS_URL`, or of a server that lives as long as the block."""
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
        return
    with own_valkey() as url:
        yield url


@contextmanager
def own_valkey() -> Iterator[str]:
    """Yield the address of an empty server that lives as long as the block and keeps nothing on disk."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedValkey(Path(folder), port=free_port(), durable=False)
        server.prepare()
        with running(server.command()):
            wait_until(server.is_ready)
            yield server.url


@contextmanager
def own_postgres() -> Iterator[str]:
    """Yield the address of a server with the desk's empty tables, which writes to disk what it commits, for the block."""
    folder = Path(tempfile.mkdtemp(prefix="bw-bench-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    server = EmbeddedPostgres(folder, port=free_port())
    try:
        server.start()
        migrate = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"]
        subprocess.run(migrate, env=os.environ | {"DATABASE_URL": server.dsn}, check=True, stdout=subprocess.DEVNULL)
        yield server.dsn
    finally:
        server.destroy()


@contextmanager
def documents() -> Iterator[str]:
    """Yield the address of a server of small documents: add `/doc/N`."""
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.servers", str(port)]):
        wait_until(lambda: is_listening(port))
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    """Keep a process for as long as the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Say whether somebody takes connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until it holds. Raises TimeoutError."""
    ends = time.monotonic() + READY_S_MAX
    while not holds():
        if time.monotonic() > ends:
            raise TimeoutError("a server did not start")
        time.sleep(0.02)


async def _document(request: web.Request) -> web.Response:
    wait_ms = int(request.query.get("wait_ms", "0"))
    if wait_ms:
        await asyncio.sleep(wait_ms / 1_000)
    status = int(request.query.get("status", "200"))
    return web.Response(status=status, body=DOCUMENT % int(request.match_info["number"]), content_type="application/json")


def serve(port: int) -> None:
    """Serve documents until told to stop."""
    app = web.Application()
    app.router.add_get("/doc/{number}", _document)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
