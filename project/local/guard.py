"""The supervisor's side of the guardian: tell it what to watch, keep it alive, let it go."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

from project.local import guardian


class Guard:
    """A running guardian for one data folder; it inherits the lock `lock_descriptor`."""

    def __init__(self, folder: Path, lock_descriptor: int | None = None) -> None:
        self._folder = folder
        self._inherits = () if lock_descriptor is None else (lock_descriptor,)
        self._watched: dict[int, int] = {}
        self._process = self._launch()

    @property
    def pid(self) -> int:
        """The guardian's process id."""
        return self._process.pid

    def watch(self, pid: int, stop_signal: signal.Signals) -> None:
        """Have the process group of `pid` ended by `stop_signal` should the supervisor die."""
        self._watched[pid] = int(stop_signal)
        self._tell(f"+{pid} {int(stop_signal)}")

    def forget(self, pid: int) -> None:
        """Take a group that ended off the guardian's list: its number may be used again."""
        self._watched.pop(pid, None)
        self._tell(f"-{pid}")

    def ensure_alive(self) -> None:
        """Replace a guardian that was killed."""
        if self._process.poll() is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
        self._process = self._launch()
        for pid, number in self._watched.items():
            self._tell(f"+{pid} {number}")

    def release(self) -> None:
        """Say good-bye: nothing is left to guard."""
        self._tell("bye")
        self._process.communicate()

    def _launch(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-S", "-E", guardian.__file__, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            start_new_session=True,
            pass_fds=self._inherits,
        )

    def _tell(self, line: str) -> None:
        pipe = cast(IO[str], self._process.stdin)
        with contextlib.suppress(BrokenPipeError):  # it was killed: the next step replaces it and tells it everything
            pipe.write(line + "\n")
            pipe.flush()
