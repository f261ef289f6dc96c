"""Loops that run beside beat in its process: each a thread that repeats one step and survives its failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog
from django.db import close_old_connections, connections
from prometheus_client import Counter

from apps.core import clock

log = structlog.get_logger(__name__)

FAILURES = Counter("loop_failures_total", "Steps of background loops that failed; the loop goes on.", ["loop"])
WAIT_LEAST_S, WAIT_MOST_S = 0.5, 10.0  # after failures: doubled from the one up to the other
STOP_S = 5.0


class Loop:
    """Calls `step` again and again; the step returns the seconds until its next turn."""

    def __init__(self, name: str, step: Callable[[], float]) -> None:
        self.name = name
        self._step = step
        self._is_ending = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the thread ends with its process at the latest."""
        self._thread.start()

    def stop(self, wait_s: float = STOP_S) -> None:
        """Ask the loop to end and wait a little for the step in hand."""
        self.ask_to_end()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    def ask_to_end(self) -> None:
        """Let the step in hand be the last one, without waiting for it."""
        self._is_ending.set()

    def is_alive(self) -> bool:
        """Return whether the loop still turns."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._is_ending.is_set():
            self._is_ending.wait(self._turn())
        connections.close_all()

    def _turn(self) -> float:
        """Take one step and return the seconds to wait; a failed step is told, and waited for longer each time."""
        try:
            close_old_connections()
            wait_s = self._step()
        except Exception as error:
            self._failures += 1
            FAILURES.labels(loop=self.name).inc()
            log.exception("loop_stumbled", loop=self.name, error=type(error).__name__, failures=self._failures)
            connections.close_all()  # whatever state they are in: the next step opens its own
            return float(min(WAIT_MOST_S, WAIT_LEAST_S * 2 ** min(self._failures - 1, 10)))
        self._failures = 0
        return wait_s


def stop_together(loops: Sequence[Loop]) -> None:
    """Ask all of them to end and wait for all together no longer than for one; steps that take longer end with the process."""
    for loop in loops:
        loop.ask_to_end()
    until_s = clock.monotonic_s() + STOP_S
    for loop in loops:
        loop.stop(max(0.0, until_s - clock.monotonic_s()))
    held = [loop.name for loop in loops if loop.is_alive()]
    if held:
        log.warning("loops_left_behind", loops=held, waited_s=STOP_S)
