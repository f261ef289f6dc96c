"""PostgreSQL and Valkey of the chaos tests' own, made to be killed: one pair for each pytest process."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import redis

from apps.backups.embedded import EmbeddedPostgres, free_port
from project.local.valkey import EmbeddedValkey
from tests.chaos.queue_faults import children_of, send, state_of

READY_S_MAX = 60.0


class SyncedPostgres(EmbeddedPostgres):
    """A server whose commits outlive its processes (what it answers for is in the kernel), but not the machine."""

    def command(self) -> list[str]:
        """Return the command line: commits are written before they are answered, and never waited for on the disk."""
        return [*super().command(), "-c", "synchronous_commit=on", "-c", "fsync=off", "-c", "full_page_writes=off"]


class QueueServers:
    """Both servers, how to kill them, and how they come back: PostgreSQL with its data, Valkey empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = SyncedPostgres(folder / "postgres", port=free_port())
        self.valkey = EmbeddedValkey(folder / "valkey", port=free_port(), durable=False)
        self._valkey_process: subprocess.Popen[bytes] | None = None
        self.is_up = False

    def start(self, variables: dict[str, str]) -> None:
        """Start both and make the tables."""
        self.start_postgres()
        self.valkey.prepare()
        self.start_valkey()
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--noinput", "-v", "0"],
            cwd=Path(__file__).resolve().parents[2],
            env={**variables, **self.addresses()},
            check=True,
            timeout=180,
        )
        self.is_up = True

    def stop(self) -> None:
        """End both and delete what they kept."""
        if self._valkey_process is not None:
            self._valkey_process.kill()
            self._valkey_process.wait()
        self.postgres.destroy()
        shutil.rmtree(self.folder, ignore_errors=True)

    def addresses(self) -> dict[str, str]:
        """Return the variables that point at them."""
        return {"DATABASE_URL": self.postgres.dsn, "REDIS_URL": self.valkey.url}

    def redis(self) -> redis.Redis:
        """Return a client of the broker's database."""
        return redis.Redis.from_url(self.valkey.url)

    def start_postgres(self) -> None:
        """Start it; what a killed one left in the way is cleared, its data stays."""
        self.postgres.start()

    def start_valkey(self) -> None:
        """Start it with nothing in it."""
        self._valkey_process = subprocess.Popen(self.valkey.command(), stdout=subprocess.DEVNULL)
        wait_until("Valkey answers", self.valkey.is_ready)

    def kill_postgres(self) -> tuple[int, ...]:
        """SIGKILL the postmaster and all its children; return who died."""
        process = self.postgres.process
        assert process is not None
        victims = (process.pid, *children_of(process.pid))
        hit = tuple(pid for pid in victims if send(pid, signal.SIGKILL))
        process.wait()
        wait_until("PostgreSQL's processes are gone", lambda: all(state_of(pid) in ("", "Z") for pid in victims))
        return hit

    def kill_valkey(self) -> tuple[int, ...]:
        """SIGKILL it: nothing of what it held comes back."""
        process = self._valkey_process
        assert process is not None
        process.kill()
        process.wait()
        return (process.pid,)


def wait_until(what: str, holds: Callable[[], object], timeout_s: float = READY_S_MAX, every_s: float = 0.1) -> None:
    """Wait until it holds, or fail with the name of what did not come."""
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(every_s)
