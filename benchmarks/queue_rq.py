"""RQ with JSON and without results; its workers are of the kind that forks no process for each job, the fastest it has."""

from __future__ import annotations

import os
import time

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from benchmarks.queue_marks import mark

queue = Queue("nothing", connection=Redis.from_url(os.environ.get("REDIS_URL", "redis://")), serializer=JSONSerializer)


def nothing(sent_ns: int) -> None:
    """Say that it ran."""
    mark(sent_ns)


def plain(count: int) -> None:
    """Send so many."""
    for _ in range(count):
        queue.enqueue(nothing, time.monotonic_ns(), result_ttl=0)


SENDERS = {"plain": plain}
