"""Four worker processes, one vendor: together they keep its quota, the published one and the one that it hides.

The exact figures of learning are held in `tests/unit/resilience/test_limiter_learning.py`, where no other work on the
machine disturbs the moments; here they are looser, since real calls come late when processors are busy.
"""

from __future__ import annotations

import bisect
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as desk

CALLERS, ROOT = Path(__file__).with_name("callers.py"), Path(__file__).parents[3]
PROCESSES, WORKERS, WINDOW_S = 4, 6, 2.0
WINDOW_US = int(WINDOW_S * 1_000_000)
# A process that the machine held up for so long starts its call late, and closer to the next ones.
HELD_UP_US = 100_000


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(desk.KIT_REDIS_URL, decode_responses=True) as client:
        yield client


@pytest.fixture
def prefix(server) -> Iterator[str]:
    chosen = f"test-{uuid.uuid4().hex}:"
    yield chosen
    for found in server.scan_iter(f"{chosen}*", count=1_000):
        server.delete(found)


def run(server: redis.Redis, prefix: str, *, quota: int, published: int, run_s: float) -> list[int]:
    """Let the processes call for so long; return how many processes each of them knew of at the end."""
    server.hset(f"{prefix}vendor", mapping={"quota": quota, "window_us": WINDOW_US, "calls": 0})
    arguments = [desk.KIT_REDIS_URL, prefix, str(published), str(WINDOW_S), str(WORKERS), str(run_s)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen([sys.executable, str(CALLERS), *arguments], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(PROCESSES)
    ]
    said = [process.communicate(timeout=run_s + 60)[0] for process in processes]
    return [json.loads(line)["processes"] for line in said]


def moments(server: redis.Redis, key: str) -> list[int]:
    rows: Any = server.zrange(key, 0, -1, withscores=True)
    return [int(moment) for _, moment in rows]


def most_in_a_window(starts_us: list[int]) -> int:
    span_us = WINDOW_US - HELD_UP_US
    return max(bisect.bisect_left(starts_us, start + span_us) - index for index, start in enumerate(starts_us))


def test_four_processes_together_never_exceed_the_published_quota(server, prefix):
    run(server, prefix, quota=10_000, published=100, run_s=5.0)
    starts_us = moments(server, f"{prefix}granted")
    assert len(starts_us) >= 100
    assert most_in_a_window(starts_us) <= 100


def test_four_processes_together_find_a_hidden_quota_and_keep_to_it(server, prefix):
    known = run(server, prefix, quota=60, published=120, run_s=24.0)
    granted_us, refused_us = moments(server, f"{prefix}granted"), moments(server, f"{prefix}refused")
    learned_us = granted_us[0] + 8 * WINDOW_US
    last_us = granted_us[-1]
    after = [moment for moment in granted_us if moment >= learned_us]
    refused = [moment for moment in refused_us if moment >= learned_us]
    assert refused_us, "the hidden quota was never felt"
    assert len(after) >= 0.8 * 60 * (last_us - learned_us) / WINDOW_US
    assert len(refused) <= 0.05 * len(after)
    assert max(known) == PROCESSES
