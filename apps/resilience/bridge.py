"""One way from plain code into the kit's asynchronous core: an event loop in a thread of its own, one for a process."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
STOP_TIMEOUT_S = 2.0


class Bridge:
    """Runs coroutines for threads that have no event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="resilience-bridge", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` and wait for its result; what interrupts the waiting cancels the work."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` without waiting for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """End the thread; what still runs is dropped."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT_S)
        if not self._thread.is_alive():
            self._loop.close()


_bridges: dict[int, Bridge] = {}
_making = threading.Lock()


def bridge() -> Bridge:
    """Return this process's bridge, made on first use; a forked child makes its own."""
    pid = os.getpid()
    found = _bridges.get(pid)
    if found is not None:
        return found
    with _making:
        if pid not in _bridges:
            _bridges[pid] = Bridge()
            atexit.register(_bridges[pid].stop)
        return _bridges[pid]
