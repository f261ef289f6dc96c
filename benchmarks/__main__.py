"""`python -m benchmarks [NAME …]`: run the comparisons and print one JSON object a line, then a summary.

Exit 0 when every ratio holds its target, 1 otherwise, 2 for an unknown name, 143 when it was told to stop. Every module of
this folder that has a function `contests()` takes part; it yields `pairs.Contest` or `pairs.Bound` objects and may set up
what they need around the yields. A module that is called after another one (`queue_huey` after `queue`) is a part of it.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import platform
import signal
import sys
from pathlib import Path
from types import FrameType

FURNITURE = frozenset({"pairs", "servers", "__main__"})


def names() -> list[str]:
    """Return the names of the comparisons."""
    modules = {entry.name for entry in pkgutil.iter_modules([str(Path(__file__).parent)])} - FURNITURE
    return sorted(name for name in modules if name.partition("_")[0] not in modules - {name})


def main(chosen: list[str]) -> int:
    """Run the chosen comparisons, or all."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    unknown = sorted(set(chosen) - set(names()))
    if unknown:
        sys.stderr.write(f"benchmarks: no such comparison: {', '.join(unknown)}; there are {', '.join(names())}\n")
        return 2
    rows = []
    for name in chosen or names():
        for contest in importlib.import_module(f"benchmarks.{name}").contests():
            rows.append(contest.measure().row())
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.flush()
    holds = all(row["holds"] for row in rows)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "comparisons": len(rows), "all_hold": holds}
    sys.stdout.write(json.dumps(machine) + "\n")
    return 0 if holds else 1


def _leave(number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, through every `finally`: the servers and workers that a comparison started end with it."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
