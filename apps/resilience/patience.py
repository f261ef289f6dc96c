"""Deadlines and silences of many attempts, watched by one timer: a timer for each would cost as much as all layers together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

SWEEP_S = 0.05  # how late an attempt may be ended


@dataclass(slots=True, eq=False)
class Watch:
    """One attempt under watch. Times are the event loop's; `is_over` says that it was ended for being late."""

    task: asyncio.Task[object]
    ends_s: float
    quiet_until_s: float
    requests: int
    is_over: bool = False

    def is_ours(self) -> bool:
        """Say whether a cancellation that arrived is the watch's own alone, and take it back."""
        return self.is_over and self.task.uncancel() <= self.requests


class Patience:
    """Watches the attempts of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watches: set[Watch] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, left_s: float, silence_s: float) -> Watch:
        """Watch the running task: it may take `left_s`, and be without news for `silence_s`."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be watched")
        now_s = self._loop.time()
        watch = Watch(task, now_s + left_s, now_s + silence_s, task.cancelling())
        self._watches.add(watch)
        if self._timer is None:
            self._timer = self._loop.call_later(SWEEP_S, self._sweep)
        return watch

    def heard(self, watch: Watch, silence_s: float) -> None:
        """Note that there is news, and how long the next silence may last."""
        watch.quiet_until_s = self._loop.time() + silence_s

    def left_s(self, watch: Watch) -> float:
        """Return the seconds that are left."""
        return watch.ends_s - self._loop.time()

    def end(self, watch: Watch) -> None:
        """Watch no longer."""
        self._watches.discard(watch)

    def _sweep(self) -> None:
        now_s = self._loop.time()
        for watch in self._watches:
            if not watch.is_over and (now_s >= watch.ends_s or now_s >= watch.quiet_until_s):
                watch.is_over = True
                watch.task.cancel()
        self._timer = self._loop.call_later(SWEEP_S, self._sweep) if self._watches else None
