"""The supervisor: starts services in order, restarts what dies and says so, and ends everything it started.

One thread, one loop: `bring_up` and `watch` step through the children a few times a second. Every service leads a
process group of its own, so that what a killed master leaves behind is ended before it is started again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from project.local.clock import monotonic_s, pause_s
from project.local.guard import Guard
from project.local.guardian import send
from project.local.preflight import CannotStart
from project.local.stopping import StopRequest

STEP_S = 0.1
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_AFTER_S = 60.0  # who ran this long starts with the first pause again
TRIES_AT_START = 4


class Stopped(Exception):
    """The operator asked the desk to stop while it was busy with something else."""


def _always() -> bool:
    return True


def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Service:
    """What is to run: a command line, its variables, how to see that it is ready and how to stop it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool] = _always
    prepare: Callable[[], None] = _nothing  # before every start, also before a restart
    launch: Mapping[str, Any] = field(default_factory=dict)
    # What asks it to stop: each signal with the seconds it gets before the next one, and SIGKILL at last.
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0),)
    ready_timeout_s: float = 60.0
    niceness: int = 0
    wave: int = 0  # waves end one after the other, lowest first


@dataclass(slots=True)
class Child:
    """One service and the process that runs it now."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    due_s: float = 0.0
    failures: int = 0
    was_ready: bool = False


@dataclass(slots=True)
class _Leaving:
    """A process that is asked to stop, ever more firmly."""

    service: Service
    process: subprocess.Popen[bytes]
    signals_sent: int = 0
    patient_until_s: float = 0.0

    def is_asked_again(self, now_s: float) -> bool:
        """Send the next signal when the last one's time is over; False when there is none left."""
        if now_s < self.patient_until_s:
            return True
        if self.signals_sent == len(self.service.stop_signals):
            return False
        number, patience_s = self.service.stop_signals[self.signals_sent]
        self.process.send_signal(number)
        self.signals_sent, self.patient_until_s = self.signals_sent + 1, now_s + patience_s
        return True


class Supervisor:
    """Keeps the children. `say` tells the operator; `changed` is called when a process was replaced."""

    def __init__(
        self, *, logs: Path, guard: Guard, stop: StopRequest, say: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        self.children: dict[str, Child] = {}
        self._logs, self._guard, self._stop, self._say, self._changed = logs, guard, stop, say, changed

    def bring_up(self, *services: Service) -> None:
        """Start services together and wait until all are ready. Raises CannotStart, or Stopped at a signal."""
        for service in services:
            self.children[service.name] = Child(service)
        deadline_s = monotonic_s() + max((service.ready_timeout_s for service in services), default=0.0)
        waiting = [self.children[service.name] for service in services]
        while waiting:
            self.step()
            waiting = [child for child in waiting if not child.was_ready]
            for child in waiting:
                if child.failures >= TRIES_AT_START or monotonic_s() > deadline_s:
                    raise CannotStart(f"{child.service.name} does not start: {self.last_words(child.service.name)}")
            self.pause()

    def run_once(self, name: str, command: tuple[str, ...], environment: Mapping[str, str], *, cwd: Path) -> tuple[int, str]:
        """Run a command to its end under the same care and return its exit code and standard output."""
        with self._log(name) as log:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._guard.watch(process.pid, signal.SIGTERM)
        reader = _Reader(process)
        try:
            while process.poll() is None:
                self.step()
                self.pause()
        finally:
            send(process.pid, signal.SIGKILL)
            process.wait()
            self._guard.forget(process.pid)
        return process.returncode, reader.text()

    def step(self) -> None:
        """Look once at every child: note readiness, bury the dead, start what is due."""
        self._guard.ensure_alive()
        for child in self.children.values():
            if child.process is None:
                self._start_when_due(child)
            elif child.process.poll() is not None:
                self._bury(child, child.process)
            elif not child.was_ready and child.service.is_ready():
                child.was_ready = True
                self._changed()
                if child.failures:
                    self._say(f"{child.service.name} runs again (pid {child.process.pid})")

    def pause(self, duration_s: float = STEP_S) -> None:
        """Wait a moment. Raises Stopped when the operator asked for the end."""
        if self._stop.came_within(duration_s):
            raise Stopped

    def pids(self) -> dict[str, int]:
        """Return the process id of every child that runs now."""
        return {name: child.process.pid for name, child in self.children.items() if child.process is not None}

    def shut_down(self) -> None:
        """End all children, wave by wave: asked politely, then killed after their stop time-out."""
        for wave in sorted({child.service.wave for child in self.children.values()}):
            self._end([child for child in self.children.values() if child.service.wave == wave])
        self.children.clear()

    def _start_when_due(self, child: Child) -> None:
        if monotonic_s() < child.due_s:
            return
        service = child.service
        service.prepare()
        with self._log(service.name) as log:
            child.process = subprocess.Popen(
                service.command,
                env=dict(service.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **service.launch,
            )
        self._guard.watch(child.process.pid, service.stop_signals[0][0])
        child.started_s, child.was_ready = monotonic_s(), False
        with contextlib.suppress(OSError):  # politeness is no reason not to run
            os.setpriority(os.PRIO_PROCESS, child.process.pid, service.niceness)

    def _bury(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        child.process = None
        self._end_group(process)
        if monotonic_s() - child.started_s > STEADY_AFTER_S:
            child.failures = 0
        pause = min(FIRST_PAUSE_S * 2**child.failures, LONGEST_PAUSE_S)
        child.failures, child.due_s = child.failures + 1, monotonic_s() + pause
        self._say(
            f"{child.service.name} (pid {process.pid}) {_how_it_ended(process.returncode)}; starting it again in {pause:g} s"
        )

    def _end(self, children: Iterable[Child]) -> None:
        leaving = [_Leaving(child.service, child.process) for child in children if child.process is not None]
        while leaving:
            leaving = [one for one in leaving if not self._has_left(one)]
            pause_s(STEP_S if leaving else 0)

    def _has_left(self, one: _Leaving) -> bool:
        is_in_a_hurry = self._stop.times > 1
        if one.process.poll() is None and not is_in_a_hurry and one.is_asked_again(monotonic_s()):
            return False
        if one.process.returncode is None:
            self._say(f"{one.service.name} (pid {one.process.pid}) did not stop in time and was killed")
        self._end_group(one.process)
        return True

    def _end_group(self, process: subprocess.Popen[bytes]) -> None:
        send(process.pid, signal.SIGKILL)
        process.wait()
        self._guard.forget(process.pid)

    def _log(self, name: str) -> Any:
        return (self._logs / f"{name}.log").open("ab")

    def last_words(self, name: str) -> str:
        """Return the last line of a service's log and where to read the rest."""
        lines = (self._logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else 'no output'} (see {self._logs / f'{name}.log'})"


class _Reader:
    """Collects a process's output in the background, so that a long one cannot block it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._read, args=(process.stdout or (),), daemon=True)
        self._thread.start()

    def _read(self, lines: Iterable[bytes]) -> None:
        self._chunks.extend(lines)

    def text(self) -> str:
        """Return everything that was written; waits for the end of the stream."""
        self._thread.join()
        return b"".join(self._chunks).decode(errors="replace")


def _how_it_ended(returncode: int) -> str:
    return f"was killed by signal {-returncode}" if returncode < 0 else f"ended with exit {returncode}"
