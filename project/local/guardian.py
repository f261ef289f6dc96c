"""The guardian: a small process that outlives a killed supervisor just long enough to end what it had started.

It reads lines from the supervisor through a pipe: `+PID SIGNAL` for a process group to watch and the signal that ends
it quickly, `-PID` for one that ended, and `bye` at a clean stop. When the pipe closes without `bye`, the supervisor is
dead: every group gets its signal, then SIGKILL. It inherits the lock on the data folder, so that a new start waits for it.

    python -S -E project/local/guardian.py DATA_FOLDER

It imports nothing of the desk: it starts in milliseconds and cannot be broken by what it guards.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PATIENCE_S = 6.0
POLL_S = 0.1


def main(lines: Iterable[str], desk_file: Path) -> None:
    """Follow the supervisor's lines to their end and clean up unless it said good-bye."""
    groups: dict[int, int] = {}
    for line in lines:
        words = line.split()
        if words[0] == "bye":
            return
        number = int(words[0][1:])
        if words[0].startswith("+"):
            groups[number] = int(words[1])
        else:
            groups.pop(number, None)
    end_groups(groups)
    desk_file.unlink(missing_ok=True)


def end_groups(groups: Mapping[int, int], patience_s: float = PATIENCE_S) -> None:
    """End process groups, each by its own signal first and by SIGKILL when it stays."""
    left = [group for group, number in groups.items() if send(group, number)]
    for _ in range(int(patience_s / POLL_S)):
        left = [group for group in left if send(group, 0)]
        if not left:
            return
        select.select([], [], [], POLL_S)  # a wait without importing the desk's clock
    for group in left:
        send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """Send a signal to a process group and return whether the group still exists."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    main(sys.stdin, Path(sys.argv[1]) / "desk.json")
