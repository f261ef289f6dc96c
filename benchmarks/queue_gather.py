"""The floor for fetching: `asyncio.gather` over the bare HTTP library in as many processes as a worker has children, no queue."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from benchmarks.queue_fetching import fetch_bare
from benchmarks.queue_marks import mark
from benchmarks.queue_systems import CHILDREN


def gather(sent_ns: int) -> None:
    """Fetch one task's documents and say so."""
    fetch_bare()
    mark(sent_ns)


def urls(count: int) -> None:
    """Have so many tasks' documents fetched."""
    for _ in range(count):
        _processes().submit(gather, time.monotonic_ns())


@cache
def _processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(CHILDREN)


SENDERS = {"urls": urls}
