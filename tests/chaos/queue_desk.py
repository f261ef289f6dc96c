"""A queue under fire: real workers, beats and a caller as processes over servers of their own.

`queue_desk(...)` gives a desk that is empty, and ends every process of it whatever happens. Nothing here plays a part of the
product: the work is in `queue_work.py`, everything else is the desk's own code.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from project.local.processes import Worker
from tests.chaos.queue_effects import NOTES_VARIABLE, Effects, Note, read_notes
from tests.chaos.queue_faults import Faults, children_of, marked_with, send
from tests.chaos.queue_servers import QueueServers, wait_until

ROOT = Path(__file__).resolve().parents[2]
IS_LONG = os.environ.get("QUEUE_CHAOS") == "long"
SEED = int(os.environ.get("QUEUE_CHAOS_SEED", "4"))
MARK = "QUEUE_CHAOS_DESK"
APP = "tests.chaos.queue_app"
SERVERS: pytest.StashKey[QueueServers] = pytest.StashKey()
DISCARDED_ENVIRONMENT = ("DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL", "DJANGO_SETTINGS_MODULE", "PROCESS_TYPE")


def servers_of(request: pytest.FixtureRequest, factory: pytest.TempPathFactory) -> QueueServers:
    """Return this pytest process's servers; they are started at the first question and end with the process."""
    stash = request.config.stash
    if SERVERS not in stash:
        folder = factory.mktemp("queue-servers")
        stash[SERVERS] = servers = QueueServers(folder)
        request.config.add_cleanup(servers.stop)
        servers.start(_environment(folder))
    assert stash[SERVERS].is_up, "the servers did not start for an earlier test"
    return stash[SERVERS]


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in DISCARDED_ENVIRONMENT}
    settings = {"DJANGO_SETTINGS_MODULE": "project.settings"}
    return kept | settings | {"ENVIRONMENT": "test", "PROCESS_TYPE": "command", "PYTHONPATH": str(ROOT), MARK: str(folder)}


class QueueDesk:
    """One test's desk."""

    def __init__(self, folder: Path, servers: QueueServers, *, broker_port: int | None = None) -> None:
        self.folder = folder
        self.servers = servers
        self.faults = Faults(SEED)
        self.effects = Effects(servers.postgres.dsn)
        self.notes_file = folder / "notes"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._buried: set[str] = set()
        self._addresses = servers.addresses()
        if broker_port is not None:
            self._addresses["REDIS_URL"] = self._addresses["REDIS_URL"].replace(f":{servers.valkey.port}/", f":{broker_port}/")

    # Processes.

    def start_worker(self, name: str, queues: Sequence[str], *, concurrency: int = 1) -> None:
        """Start a worker with the desk's own command line, and wait until it consumes."""
        self.launch_worker(name, queues, concurrency=concurrency)
        self.wait_for_worker(name)

    def launch_worker(self, name: str, queues: Sequence[str], *, concurrency: int = 1) -> None:
        """Start a worker and go on at once."""
        command = list(Worker(name, tuple(queues), concurrency).command())
        command[command.index("-A") + 1] = APP
        self._launch(name, [*command, "-l", "info"])

    def wait_for_worker(self, name: str) -> None:
        """Wait until the worker says that it is ready."""
        self.wait_for(f"{name} is ready", lambda: " ready." in self.log(name))

    def start_beat(self, name: str = "beat") -> None:
        """Start a beat: its schedule is empty, its loops bring back what bells missed."""
        self._launch(name, ["celery", "-A", APP, "beat", "--pidfile=", "--scheduler", "tasks.beat:SlotScheduler", "-l", "info"])

    def _launch(self, name: str, words: list[str]) -> None:
        variables = _environment(self.folder) | self._addresses | {NOTES_VARIABLE: str(self.notes_file), "PROCESS_TYPE": name}
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def parent(self, name: str) -> int:
        """Return the process id of a worker or beat."""
        return self._processes[name].pid

    def children(self, name: str) -> list[int]:
        """Return a worker's children, those that do the work."""
        return children_of(self.parent(name))

    def tree(self, name: str) -> tuple[int, ...]:
        """Return the process and its children."""
        return (self.parent(name), *self.children(name))

    def bury(self, name: str) -> None:
        """Wait for the end of a process that was killed; any other that ends spoils the test."""
        self._processes[name].wait(timeout=20)
        self._buried.add(name)

    def log(self, name: str) -> str:
        """Return what a process has said."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """End every process of this desk, by its id: there is nothing left to be polite about."""
        for pid in self._living():
            send(pid, signal.SIGKILL)
        wait_until("every process of the desk has ended", lambda: not self._living())
        for process in self._processes.values():
            process.wait()

    def _living(self) -> list[int]:
        for process in self._processes.values():
            process.poll()  # buries it when it is dead
        return marked_with(MARK, str(self.folder))

    # What is there.

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a question to PostgreSQL."""
        with psycopg.connect(self.servers.postgres.dsn, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(sql, values or None).fetchall()

    def states(self) -> Counter[str]:
        """Return how many jobs are in each state."""
        return Counter(dict(self.rows("SELECT state, count(*) FROM jobs_job GROUP BY state")))

    def is_drained(self) -> bool:
        """Whether no job waits or runs."""
        states = self.states()
        return not states["queued"] and not states["running"]

    def notes(self) -> list[Note]:
        """Return who began and ended which body."""
        return read_notes(self.notes_file)

    def wait_for(self, what: str, holds: Callable[[], object], timeout_s: float = 60.0) -> None:
        """Wait until it holds; PostgreSQL may be away meanwhile. On failure, tell what the processes said last."""

        def holds_now() -> bool:
            ended = [name for name, process in self._processes.items() if process.poll() is not None]
            assert set(ended) <= self._buried, f"{ended} ended unasked while waiting: {what}"
            with suppress(psycopg.OperationalError):
                return bool(holds())
            return False

        try:
            wait_until(what, holds_now, timeout_s)
        except AssertionError as missing:
            raise AssertionError(f"{missing}\n{self.last_words()}") from None

    def last_words(self, *, lines: int = 12) -> str:
        """Return the jobs that are not done and the ends of all logs, for messages."""
        told = []
        with suppress(psycopg.Error):
            told.append(str(self.states()))
            told += [
                str(row)
                for row in self.rows(
                    "SELECT id, task, kwargs, state, attempts, next_try_at, lease_owner, lease_until, rung_at, reason"
                    " FROM jobs_job WHERE state NOT IN ('done', 'skipped') LIMIT 8"
                )
            ]
        for name in self._processes:
            told += [f"--- {name}", *self.log(name).splitlines()[-lines:]]
        return f"seed {SEED}\n" + "\n".join(told)

    # Callers.

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Give a caller in a process of its own."""
        variables = _environment(self.folder) | self._addresses
        caller = Client(variables, self.folder / "client.log")
        try:
            yield caller
        finally:
            caller.close()


class Client:
    """A process that enqueues when asked: the web's side of the queue."""

    def __init__(self, variables: dict[str, str], log: Path) -> None:
        self._lock = threading.Lock()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.queue_client"],
                cwd=ROOT,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._log = log
        self._read()

    def ask(self, verb: str, **options: Any) -> dict[str, Any]:
        """Have it done and return the answer: `held_s` is how long the caller was held, `error` what refused."""
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"verb": verb, **options}) + "\n")
            self._process.stdin.flush()
            return self._read()

    def enqueue(self, kind: str, numbers: Sequence[int], *, queue: str = "fetch", **options: Any) -> dict[int, str]:
        """Enqueue a job for each number and return their ids; all must be accepted."""
        answer = self.ask("enqueue", kind=kind, numbers=list(numbers), queue=queue, **options)
        assert "error" not in answer, answer
        return {entry["number"]: entry["job"] for entry in answer["accepted"]}

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the caller ended: {self._log.read_text()[-2000:]}"
        return dict(json.loads(line))


class Load:
    """A thread that enqueues one job after another, of each kind in turn, and notes which were accepted."""

    def __init__(self, client: Client, kinds: Sequence[str], *, every_s: float, work_s: float = 0.0, first: int = 1) -> None:
        self.accepted: dict[int, float] = {}
        self.refused: list[int] = []
        self.held_s: list[float] = []
        self._client, self._kinds, self._every_s, self._work_s, self._first = client, kinds, every_s, work_s, first
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        number = self._first
        while not self._ended.wait(self._every_s):
            kind = self._kinds[number % len(self._kinds)]
            answer = self._client.ask("enqueue", kind=kind, numbers=[number], queue="fetch", work_s=self._work_s)
            self.held_s.append(answer["held_s"])
            if "error" in answer:
                self.refused.append(number)
            else:
                self.accepted[number] = time.time()
            number += 1


@contextmanager
def queue_desk(folder: Path, servers: QueueServers, *, broker_port: int | None = None) -> Iterator[QueueDesk]:
    """Give an empty desk on these servers, and end all of its processes whatever happens."""
    desk = QueueDesk(folder, servers, broker_port=broker_port)
    desk.effects.prepare()
    with psycopg.connect(servers.postgres.dsn, autocommit=True) as connection:
        connection.execute("TRUNCATE jobs_job CASCADE")
    with servers.redis() as broker:
        broker.flushall()
    try:
        yield desk
    finally:
        desk.stop()
