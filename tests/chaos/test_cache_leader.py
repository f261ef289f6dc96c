"""The process that loads for all is killed, or frozen: another takes over, and the late result is refused."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid

import pytest
import redis
from django.conf import settings as desk

from apps.resilience import RedisCache
from tests.integration.resilience.cache_caller import KEY
from tests.integration.resilience.cache_processes import Caller, eventually, loads_in

pytestmark = pytest.mark.chaos
TAKEN_OVER_WITHIN_S = 5.0


@pytest.fixture
def stage(tmp_path):
    """Start processes that share a cache; at the end none is left, and nothing of theirs in the server."""
    prefix, started = f"test-{uuid.uuid4().hex}:", []

    def start(**how):
        started.append(Caller(desk.KIT_REDIS_URL, prefix, tmp_path / "loads", **how))
        started[-1].stand_ready()
        started[-1].go()
        return started[-1]

    yield start, tmp_path / "loads", prefix
    for caller in started:
        caller.kill()
    with redis.Redis.from_url(desk.KIT_REDIS_URL) as client:
        client.delete(*client.scan_iter(match=f"{prefix}*", count=1_000), f"{prefix}none")


def kept_value(prefix):
    async def look():
        store = RedisCache(desk.KIT_REDIS_URL, prefix=prefix)
        kept = await store.read(KEY)
        await store.close()
        return kept.entry.value.decode() if kept.entry else None

    return asyncio.run(look())


def test_a_leader_that_is_killed_is_replaced_in_time(stage):
    start, loads, prefix = stage
    leader = start(load_s=600)
    assert eventually(lambda: loads_in(loads) == [leader.process.pid])
    followers = [start(load_s=0.1) for _ in range(3)]
    time.sleep(1.5)  # the leader renews its lease meanwhile
    assert loads_in(loads) == [leader.process.pid]
    killed_s = time.monotonic()
    leader.kill()
    assert eventually(lambda: len(loads_in(loads)) == 2)
    results = [follower.result() for follower in followers]
    assert time.monotonic() - killed_s < TAKEN_OVER_WITHIN_S
    second = loads_in(loads)[1]
    assert second in [follower.process.pid for follower in followers]
    assert [result["outcomes"] for result in results] == [[f"by {second}"]] * 3
    assert [result["answered"] for result in results] == [50] * 3
    assert len(loads_in(loads)) == 2
    assert kept_value(prefix) == f"by {second}"


def test_a_leader_that_was_frozen_and_replaced_cannot_overwrite_its_successor(stage):
    start, loads, prefix = stage
    leader = start(load_s=0.5)
    assert eventually(lambda: loads_in(loads) == [leader.process.pid])
    leader.process.send_signal(signal.SIGSTOP)
    follower = start(load_s=0.1)
    result = follower.result()
    assert result["outcomes"] == [f"by {follower.process.pid}"]
    leader.process.send_signal(signal.SIGCONT)
    late = leader.result()
    assert late["outcomes"] == [f"by {leader.process.pid}"]
    assert (late["counts"]["refused_writes"], result["counts"]["refused_writes"]) == (1, 0)
    assert kept_value(prefix) == f"by {follower.process.pid}"
