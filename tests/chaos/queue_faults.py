"""Faults for the chaos tests: kills, freezes, and a wire that swallows everything without saying so."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that was done to the desk: what, when and to which processes."""

    what: str
    at_s: float
    pids: tuple[int, ...] = ()


@dataclass
class Faults:
    """What was really injected, so that a run without faults cannot pass for one with; `chance` is seeded."""

    seed: int
    done: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Seed the choice of moments and victims."""
        self.chance = random.Random(self.seed)

    def kill(self, what: str, pids: Iterable[int], *, takes_along: Iterable[int] = ()) -> bool:
        """SIGKILL the processes at once; False (and no fault) when none of them lived. `takes_along` die with them."""
        hit = tuple(pid for pid in pids if send(pid, signal.SIGKILL))
        if hit:
            self.note(what, (*hit, *takes_along))
        return bool(hit)

    def freeze(self, what: str, pids: Iterable[int]) -> None:
        """SIGSTOP the processes: they keep everything that they hold."""
        self.note(what, tuple(pid for pid in pids if send(pid, signal.SIGSTOP)))

    def note(self, what: str, pids: tuple[int, ...] = ()) -> None:
        """Write down a fault."""
        self.done.append(Fault(what, time.time(), pids))

    def count(self, what: str = "") -> int:
        """Return how many faults were injected whose name begins with `what`."""
        return sum(fault.what.startswith(what) for fault in self.done)

    def deaths(self) -> list[tuple[float, tuple[int, ...]]]:
        """Return when which processes were killed."""
        return [(fault.at_s, fault.pids) for fault in self.done if fault.what.startswith("kill")]


def send(pid: int, number: int) -> bool:
    """Send a signal; False when nobody was there (a zombie is nobody)."""
    if state_of(pid) in ("", "Z"):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def state_of(pid: int) -> str:
    """Return the letter of the process's state (R, S, D, T, Z …), or nothing when it is gone."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def children_of(pid: int) -> list[int]:
    """Return the processes whose parent it is, dead ones that nobody has buried left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields and int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(entry.name))
    return sorted(found)


def marked_with(name: str, value: str) -> list[int]:
    """Return the living processes that carry the variable in their environment."""
    mark = os.fsencode(f"{name}={value}")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in variables and state_of(int(entry.name)) not in ("", "Z"):
            found.append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


class DroppingProxy:
    """A TCP proxy on loopback that can swallow what it is given: no answer, no FIN, no RST.

    `swallow_open` does so to the connections that are open, as a firewall does that forgot them; new ones work.
    `swallow_all` lets new ones in too and swallows them as well, as a dead host behind a living address does.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._swallowed: list[socket.socket] = []
        self._is_swallowing_all = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def swallow_open(self) -> int:
        """Go deaf on every open connection; return how many."""
        with self._lock:
            count = len(self._pairs) // 2
            self._swallowed += self._pairs
            self._pairs.clear()
        return count

    def swallow_all(self) -> int:
        """Go deaf on every open connection and on those to come; return how many were open."""
        self._is_swallowing_all = True
        return self.swallow_open()

    def heal(self) -> None:
        """Forward new connections again; those that were swallowed stay dead."""
        self._is_swallowing_all = False

    def open_connections(self) -> int:
        """Return how many connections are forwarded now."""
        with self._lock:
            return len(self._pairs) // 2

    def close(self) -> None:
        """End the thread and every connection."""
        self._ended.set()
        self._thread.join()
        for connection in (self._listener, *self._pairs, *self._swallowed):
            connection.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            with self._lock:
                watched = [self._listener, *self._pairs]
            ready, _, _ = select.select(watched, [], [], 0.05)
            for source in ready:
                if source is self._listener:
                    self._accept()
                else:
                    self._forward(source)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        with self._lock:
            if self._is_swallowing_all:
                self._swallowed.append(near)
                return
        try:
            far = socket.create_connection(("127.0.0.1", self._target_port), timeout=5)
        except OSError:
            near.close()
            return
        with self._lock:
            self._pairs |= {near: far, far: near}

    def _forward(self, source: socket.socket) -> None:
        with self._lock:
            target = self._pairs.get(source)
        if target is None:
            return  # swallowed since it was found ready
        try:
            data = source.recv(65536)
            if data:
                target.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._end(source, target)

    def _end(self, *pair: socket.socket) -> None:
        with self._lock:
            for connection in pair:
                self._pairs.pop(connection, None)
                connection.close()
