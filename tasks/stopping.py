"""A soft shutdown that ends when the running tasks have ended, not when its time is over.

Celery sleeps the whole time-out as soon as one task runs: 20 s for a task that takes one more. A deployment stops workers
one after the other, so that is what it takes. Its main loop stands still meanwhile and reads no results; that a child has
written one is seen from outside. Where that cannot be told, the wait is as long as Celery's.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery.apps.worker import Worker
from celery.concurrency.asynpool import AsynPool
from celery.worker import state

from apps.core import clock

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.1


class DeskWorker(Worker):
    """Celery's worker, which waits for its children at a soft shutdown no longer than they work."""

    def wait_for_soft_shutdown(self) -> None:  # type: ignore[override]  # the stub promises a value that nobody returns
        """Wait until no child works any more, or for `worker_soft_shutdown_timeout` (s)."""
        pool = getattr(self.pool, "_pool", None)
        timeout_s = self.app.conf.worker_soft_shutdown_timeout
        if not isinstance(pool, AsynPool):
            super().wait_for_soft_shutdown()  # its children are threads, or have a pipe for all of them
        elif timeout_s > 0 and state.active_requests:
            log.warning("soft_shutdown", timeout_s=timeout_s, running=len(state.active_requests))
            _wait_for_children(pool, until_s=clock.monotonic_s() + timeout_s)


def _wait_for_children(pool: Any, *, until_s: float) -> None:
    while clock.monotonic_s() < until_s and any(_is_worked_on(job) for job in list(pool._cache.values())):
        clock.sleep_s(LOOK_EVERY_S)


def _is_worked_on(job: Any) -> bool:
    """Return whether a child may be at work on it: one that was accepted is done when something lies in its child's pipe."""
    child = job._write_to
    if job.ready() or (child is not None and not child._is_alive()):
        return False
    return not (job._accepted and child is not None and child.outq._reader.poll(0))
