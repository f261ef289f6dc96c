"""Processes that share a cache, started and told to go by a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PROGRAM = Path(__file__).with_name("cache_caller.py")


class Caller:
    """One process; `go` begins its fetches, `result` is what it said at the end."""

    def __init__(self, url, prefix, loads, *, callers=50, load_s=0.5, mode="value", program=PROGRAM):
        words = (url, prefix, str(loads), str(callers), str(load_s), mode)
        self.process = subprocess.Popen(
            [sys.executable, str(program), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def stand_ready(self):
        """Wait until it has imported all it needs."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self):
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self):
        said, _ = self.process.communicate(timeout=60)
        return json.loads(said)

    def kill(self):
        self.process.kill()
        self.process.communicate()


def loads_in(path):
    """Return the process numbers of the loads that were begun, in order."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def eventually(holds, within_s=20.0):
    """Wait until it holds; say whether it did."""
    deadline = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()
