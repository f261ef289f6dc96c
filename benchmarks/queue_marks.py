"""How a job of the queue benchmark says that it ran: sixteen bytes into a pipe with a name, the same for every library.

A write of so few bytes is whole or not at all (POSIX: up to PIPE_BUF), costs about a microsecond, and asks nothing of the
broker that is measured. The monotonic clock of Linux is one for all processes of a machine.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import time
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

PIPE_VARIABLE = "BENCHMARK_MARKS"
PIPE_BYTES = 1_048_576  # 65,536 marks: no job waits for the reader
RECORD = struct.Struct("<qq")


class Mark(NamedTuple):
    """When the producer began to send a job and when its body ran, in nanoseconds of the machine's monotonic clock."""

    sent_ns: int
    ran_ns: int

    @property
    def wait_ms(self) -> float:
        """The time from the one to the other."""
        return (self.ran_ns - self.sent_ns) / 1e6


def mark(sent_ns: int) -> None:
    """Say from within a job that it ran."""
    os.write(_pipe(os.getpid()), RECORD.pack(sent_ns, time.monotonic_ns()))


@lru_cache(maxsize=1)
def _pipe(_pid: int) -> int:
    """Open the pipe; the number is there so that a forked child opens its own."""
    return os.open(os.environ[PIPE_VARIABLE], os.O_WRONLY)


class Marks:
    """The reader's end, in a folder that exists."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "marks"
        os.mkfifo(self.path)
        self._pipe = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)  # also for writing: so it never comes to an end
        fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def take(self, count: int, *, timeout_s: float) -> list[Mark]:
        """Wait for so many marks and return them. Raises TimeoutError when one stays away so long."""
        found: list[Mark] = []
        while len(found) < count:
            readable, _, _ = select.select([self._pipe], [], [], timeout_s)
            if not readable:
                raise TimeoutError(f"{count - len(found)} of {count} jobs did not run")
            piece = os.read(self._pipe, RECORD.size * min(count - len(found), 4096))
            found.extend(Mark(*pair) for pair in RECORD.iter_unpack(piece))
        return found

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._pipe)
