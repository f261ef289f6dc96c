"""Huey on Redis: its own defaults (pickle, a blocking pop, nothing acknowledged), without results."""

from __future__ import annotations

import os
import time

from huey import RedisHuey  # type: ignore[import-untyped]  # ships no types

from benchmarks.queue_marks import mark

huey = RedisHuey("nothing", url=os.environ.get("REDIS_URL"), results=False)


@huey.task()  # type: ignore[untyped-decorator]
def nothing(sent_ns: int) -> None:
    """Say that it ran."""
    mark(sent_ns)


def plain(count: int) -> None:
    """Send so many."""
    for _ in range(count):
        nothing(time.monotonic_ns())


SENDERS = {"plain": plain}
