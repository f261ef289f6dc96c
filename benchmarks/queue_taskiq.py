"""Taskiq on a Redis stream: its own defaults (JSON, acknowledged after the work), without results; the job is a coroutine."""

from __future__ import annotations

import asyncio
import os
import time

from taskiq_redis import RedisStreamBroker

from benchmarks.queue_marks import mark

broker = RedisStreamBroker(url=os.environ.get("REDIS_URL", "redis://"), consumer_id="0")  # also what came before the workers
runner = asyncio.Runner()


@broker.task(task_name="nothing")
async def nothing(sent_ns: int) -> None:
    """Say that it ran."""
    mark(sent_ns)


async def send(count: int) -> None:
    """Send so many, each when the one before is sent."""
    for _ in range(count):
        await nothing.kiq(time.monotonic_ns())


def plain(count: int) -> None:
    """Send so many over connections that stay open."""
    runner.run(send(count))


SENDERS = {"plain": plain}
