"""Half-open under pressure: many callers in several processes, and probers that are killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.conf import settings as desk

from apps.resilience import BreakerRule, RedisStore, Verdict

ROUNDS, KILLED_EACH, PROCESSES, CALLERS = 200, 10, 4, 32  # 4 × 32 = 128 callers; a prober is killed in 20 rounds
RULE = BreakerRule(failures=1, open_s=0.02, probes=1, probe_lease_s=0.3)
PROBERS = Path(__file__).with_name("probers.py")
ROOT = Path(__file__).parents[3]


@contextmanager
def probers(prefix: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes of callers that play a round whenever they are told a line."""
    processes = [start(prefix) for _ in range(PROCESSES)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def start(prefix: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROBERS), desk.KIT_REDIS_URL, prefix, str(CALLERS), str(RULE.open_s), str(RULE.probe_lease_s)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert hear(process) == {"ready": True}
    return process


def tell(process: subprocess.Popen[str], **said: object) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(said) + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "a process of callers ended"
    heard: dict[str, object] = json.loads(line)
    return heard


async def open_breaker(prefix: str, key: str) -> None:
    store = RedisStore(desk.KIT_REDIS_URL, prefix=prefix)
    admission = await store.admit(key, RULE)
    await store.report(key, RULE, Verdict.FAILURE, generation=admission.generation)
    await store.close()


@pytest.mark.chaos
def test_in_two_hundred_rounds_never_more_probes_than_permitted_and_a_killed_probers_place_is_freed():
    prefix = f"test-{uuid.uuid4().hex}:"
    freed_s: list[float] = []
    with redis.Redis.from_url(desk.KIT_REDIS_URL, decode_responses=True) as server, probers(prefix) as processes:
        for number in range(ROUNDS):
            key = f"round-{number}"
            asyncio.run(open_breaker(prefix, key))
            time.sleep(RULE.open_s)
            if number % KILLED_EACH == 0:
                freed_s.append(play_with_a_killed_prober(processes, prefix, key))
                continue
            for process in processes:
                tell(process, key=key, holds=False)
            answers = [hear(process) for process in processes]
            assert sum(int(str(answer["probes"])) for answer in answers) >= 1
            assert server.get(f"{prefix}{key}:most") == "1"
        for found in server.scan_iter(f"{prefix}*", count=1_000):
            server.delete(found)
    assert len(freed_s) == ROUNDS // KILLED_EACH == 20
    assert min(freed_s) > 0.0
    assert max(freed_s) < RULE.probe_lease_s + 2.0  # the lease, and a machine that is busy with other things


def play_with_a_killed_prober(processes: list[subprocess.Popen[str]], prefix: str, key: str) -> float:
    """Kill the process whose probe is on its way; return how long after that another got the place."""
    tell(processes[0], key=key, holds=True)
    assert hear(processes[0]) == {"holds": True}
    assert asyncio.run(admitted(prefix, key)) is False
    os.kill(processes[0].pid, signal.SIGKILL)
    killed_s = time.monotonic()
    processes[0].communicate()
    while not asyncio.run(admitted(prefix, key)):
        time.sleep(0.02)
    freed_s = time.monotonic() - killed_s
    processes[0] = start(prefix)
    return freed_s


async def admitted(prefix: str, key: str) -> bool:
    store = RedisStore(desk.KIT_REDIS_URL, prefix=prefix)
    admission = await store.admit(key, RULE)
    await store.close()
    return admission.allowed
