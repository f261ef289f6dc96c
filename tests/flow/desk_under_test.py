"""A whole desk as a process: `bin/up` in a folder of its own, watched from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from apps.backups.embedded import EmbeddedPostgres
from tests.architecture.houses import ROOT

PATIENCE_S = 420.0


@dataclass
class DeskUnderTest:
    """One run of `bin/up`; `kills` notes what was killed, so that a run without faults cannot pass for one with."""

    folder: Path
    process: subprocess.Popen[str]
    kills: list[str] = field(default_factory=list)

    def desk_file(self) -> dict[str, Any]:
        """Return desk.json, or an empty mapping while it is not there."""
        path = self.folder / "desk.json"
        try:
            return dict(json.loads(path.read_text()))
        except (FileNotFoundError, ValueError):
            return {}

    def wait_for(self, what: str, is_true: Callable[[], object], *, timeout_s: float = 90.0) -> None:
        """Wait until `is_true`, or fail with the name of what did not come."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            if self.process.poll() is not None:
                raise AssertionError(f"the desk ended with {self.process.returncode} while waiting for {what}")
            if is_true():
                return
            time.sleep(0.25)
        raise AssertionError(f"{what} did not come within {timeout_s} s")

    def count(self, sql: str) -> int:
        """Return the single number that `sql` gives; 0 while the tables are not there."""
        address = self.desk_file().get("database_url")
        if not address:
            return 0
        try:
            with psycopg.connect(address, connect_timeout=5) as connection:
                row = connection.execute(sql).fetchone()
        except psycopg.Error:
            return 0
        return int(row[0]) if row else 0

    def kill(self, name: str) -> None:
        """Kill -9 the process called `name`, with its children, and wait until another has taken its place."""
        before = self.pids(name)
        assert before, f"{name} has no process"
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        self.kills.append(name)
        self.wait_for(f"a new {name}", lambda: self.pids(name) and not set(self.pids(name)) & set(before))

    def pids(self, name: str) -> list[int]:
        """Return the processes that desk.json names for a service."""
        pids = self.desk_file().get("pids", {}).get(name, [])
        return list(pids) if isinstance(pids, list) else [pids]

    def finish(self, *, timeout_s: float = PATIENCE_S) -> tuple[int, dict[str, Any]]:
        """Wait for the end and return the exit code and the report."""
        out, err = self.process.communicate(timeout=timeout_s)
        lines = out.strip().splitlines()
        assert lines, f"no report; stderr ended with: {err[-2000:]}"
        return self.process.returncode, json.loads(lines[-1])

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the address of the stopped desk's database, started alone for a look."""
        server = EmbeddedPostgres(self.folder / "postgres")
        server.start()
        try:
            yield server.dsn
        finally:
            server.stop()


@contextmanager
def running_desk(folder: Path, *options: str) -> Iterator[DeskUnderTest]:
    """Run the desk in `folder` on a free port, and stop it by its pid whatever happens."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "ENVIRONMENT", "OPS_TOKEN")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "project.local.up", "--port", "0", "--data", str(folder), *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield DeskUnderTest(folder, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        EmbeddedPostgres(folder / "postgres").destroy()
