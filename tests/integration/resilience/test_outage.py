"""A vendor answers 503 for a minute under 2,000 calls from four processes. All times here are a tenth of that."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from aiohttp import web
from django.conf import settings

from tests.integration.resilience.upstream import serving

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PROGRAM = Path(__file__).with_name("outage_caller.py")
PROCESSES, CALLS = 4, 500
OUTAGE_S, OPEN_S = 6.0, 6.0
AT_ONCE = 8
NEVER = 1_000_000


class Vendor:
    """A server in a thread of its own that answers 503 until `heal`; `attempts_at_s` keeps when it was asked."""

    def __init__(self) -> None:
        self.attempts_at_s: list[float] = []
        self.is_ill = True
        self._is_up, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._is_up.wait(10)

    async def _answer(self, request: web.Request) -> web.Response:
        self.attempts_at_s.append(time.monotonic())
        return web.Response(status=503 if self.is_ill else 200)

    async def _serve(self) -> None:
        server = await serving(self._answer)
        self.url = str(server.make_url("/"))
        self._is_up.set()
        await asyncio.get_running_loop().run_in_executor(None, self._stop.wait)
        await server.close()

    def heal(self) -> None:
        self.is_ill = False

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor = Vendor()
    yield vendor
    vendor.close()


@pytest.fixture
def prefix() -> Iterator[str]:
    prefix = f"outage-{uuid.uuid4().hex}:"
    yield prefix
    server = redis.Redis.from_url(settings.KIT_REDIS_URL)
    for name in server.scan_iter(f"{prefix}*"):
        server.delete(name)
    server.close()


def play(vendor: Vendor, prefix: str, failures: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Let the processes call through the outage; return what they say, and the times of the attempts during it."""
    words = (settings.KIT_REDIS_URL, prefix, vendor.url, str(CALLS), str(OUTAGE_S), str(OPEN_S), str(failures))
    processes = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for _ in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        began_s = time.monotonic()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        time.sleep(OUTAGE_S)
        vendor.heal()
        during = [at_s - began_s for at_s in vendor.attempts_at_s]
        return [json.loads(process.communicate(timeout=60)[0]) for process in processes], during
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_the_breaker_opens_at_once_for_all_and_closes_again_within_two_windows(vendor, prefix):
    told, during = play(vendor, prefix, failures=5)
    made = sum(sum(each["ends"].values()) for each in told)
    assert made == PROCESSES * CALLS
    # Five failures open it. By then each process has its calls on their way, and others in the places of those whose
    # failures are still being told: they arrive too.
    assert 5 <= len([at_s for at_s in during if at_s < OPEN_S - 0.5]) <= 5 + PROCESSES * 2 * AT_ONCE
    assert len(during) <= 1.10 * made
    assert sum(each["ends"].get("breaker-open", 0) for each in told) >= 0.9 * made
    assert [each["last"] for each in told] == ["ok"] * PROCESSES
    assert max(each["after_s"] for each in told) <= 2 * OPEN_S


def test_without_any_breaker_the_budget_alone_keeps_repeats_under_a_tenth(vendor, prefix):
    told, during = play(vendor, prefix, failures=NEVER)
    made = sum(sum(each["ends"].values()) for each in told)
    assert made == PROCESSES * CALLS
    failed = sum(each["ends"].get("503", 0) for each in told)
    assert failed >= 0.9 * made
    assert made * 0.9 <= len(during) <= 1.10 * made
    assert [each["last"] for each in told] == ["ok"] * PROCESSES
