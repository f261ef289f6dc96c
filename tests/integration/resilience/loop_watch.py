"""How long the event loop was held up: its thread's processor time between two ticks, so that a busy machine does not count.

What the tests themselves have in memory is frozen meanwhile: collecting it would hold up any loop.
"""

from __future__ import annotations

import asyncio
import gc
import time

TICK_S = 0.002


class LoopWatch:
    """Watches the running loop within the block; `longest_s` is the longest time that no other callback could run."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._last_s = 0.0
        self._handle: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> LoopWatch:
        gc.collect()
        gc.freeze()
        self._last_s = time.thread_time()
        self._tick()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(TICK_S * 2)
        assert self._handle is not None
        self._handle.cancel()
        gc.unfreeze()

    def _tick(self) -> None:
        now_s = time.thread_time()
        self.longest_s = max(self.longest_s, now_s - self._last_s)
        self._last_s = now_s
        self._handle = asyncio.get_running_loop().call_later(TICK_S, self._tick)
