"""The libraries that are compared, each as two kinds of real processes: a producer and workers with two children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.queue_fetching import KIT_VARIABLE, URL_VARIABLE
from benchmarks.queue_marks import PIPE_VARIABLE, Mark, Marks

CHILDREN = 2
START_S_MAX = 60.0
STALL_S_MAX = 30.0
WARMED_BY = 50
PYTHON = (sys.executable, "-m")
CELERY_FLAGS = (
    *("worker", "--pool", "prefork", "--concurrency", str(CHILDREN), "--loglevel", "warning"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)
RQ_COMMAND = (
    *(*PYTHON, "rq.cli", "worker", "nothing", "--worker-class", "rq.worker.SimpleWorker"),
    *("--serializer", "json", "--quiet", "--url"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One library: the module with its job and its `SENDERS`, and the commands of its workers."""

    name: str
    module: str
    about: str
    workers: tuple[tuple[str, ...], ...]
    variables: Mapping[str, str] = field(repr=False)
    warm: str = "plain"


def celery_command(module: str, *more: str) -> tuple[str, ...]:
    """Return the command of a Celery worker with two children."""
    return (*PYTHON, "celery", "-A", module, *CELERY_FLAGS, *more)


def peers(redis_url: str) -> dict[str, System]:
    """Return the other libraries, and Celery as it comes, by name."""
    commands = {
        "celery": (celery_command("benchmarks.queue_bare", "-n", "bare@%h"),),
        "dramatiq": ((*PYTHON, "dramatiq", "benchmarks.queue_dramatiq", "--processes", str(CHILDREN), "--skip-logging"),),
        "rq": ((*RQ_COMMAND, redis_url),) * CHILDREN,
        "huey": ((*PYTHON, "huey.bin.huey_consumer", "benchmarks.queue_huey.huey", "-w", str(CHILDREN), "-k", "process", "-q"),),
        "taskiq": (
            (
                *(*PYTHON, "taskiq", "worker", "benchmarks.queue_taskiq:broker", "--workers", str(CHILDREN)),
                *("--log-level", "WARNING"),
            ),
        ),
    }
    abouts = {
        "celery": f"Celery {version('celery')} as it comes, same safety settings, prefork {CHILDREN}",
        "dramatiq": f"Dramatiq {version('dramatiq')}, {CHILDREN} processes of 8 threads, its default",
        "rq": f"RQ {version('rq')}, {CHILDREN} SimpleWorkers",
        "huey": f"Huey {version('huey')}, {CHILDREN} processes",
        "taskiq": f"Taskiq {version('taskiq')} on a stream of taskiq-redis {version('taskiq-redis')}, {CHILDREN} processes",
    }
    modules = {"celery": "benchmarks.queue_bare"}
    return {
        name: System(
            name=name,
            module=modules.get(name, f"benchmarks.queue_{name}"),
            about=abouts[name],
            workers=workers,
            variables={"REDIS_URL": redis_url},
        )
        for name, workers in commands.items()
    }


def ours(redis_url: str, database_url: str, documents_url: str) -> System:
    """Return the desk's own queue."""
    return System(
        name="ours",
        module="benchmarks.queue_ours",
        about=f"the desk's queue on Celery {version('celery')}, prefork {CHILDREN}",
        workers=(celery_command("project", "-I", "benchmarks.queue_ours", "-n", "ours@%h", "-Q", "money,fetch"),),
        variables={
            "REDIS_URL": redis_url,
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "PROCESS_TYPE": "worker_money",
            "YAHOO_RATE_PER_MINUTE": "6000000",
            "ALPHAVANTAGE_RATE_PER_MINUTE": "60",
            URL_VARIABLE: documents_url,
            KIT_VARIABLE: f"{redis_url[:-1]}2",
        },
    )


def gather(documents_url: str) -> System:
    """Return the floor for fetching, which has no queue."""
    about = f"asyncio.gather of aiohttp {version('aiohttp')} in {CHILDREN} processes, no queue"
    variables = {URL_VARIABLE: documents_url}
    return System(name="gather", module="benchmarks.queue_gather", about=about, workers=(), variables=variables, warm="urls")


class Entrant:
    """A library that runs: `run` has it do so many jobs, `paused` stands its workers still."""

    def __init__(self, system: System, marks: Marks) -> None:
        self.system = system
        self._marks = marks
        self._workers: list[subprocess.Popen[bytes]] = []
        self._sender: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start producer and workers, and do a few jobs. Raises TimeoutError."""
        for command in self.system.workers:
            self.add(command)
        self._sender = subprocess.Popen(
            (*PYTHON, "benchmarks.queue_sender", self.system.module),
            env=_environment(self.system, self._marks),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.run(self.system.warm, 1, timeout_s=START_S_MAX)
        self.run(self.system.warm, WARMED_BY)

    def add(self, command: tuple[str, ...]) -> None:
        """Start one more process beside its workers."""
        environment = _environment(self.system, self._marks)
        self._workers.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True))

    def send(self, kind: str, count: int) -> None:
        """Have the producer begin to send so many jobs."""
        sender = self._running_sender()
        assert sender.stdin is not None
        sender.stdin.write(f"{kind} {count}\n")
        sender.stdin.flush()

    def wait_sent(self) -> None:
        """Wait until the producer has sent them all."""
        sender = self._running_sender()
        assert sender.stdout is not None
        if sender.stdout.readline() != "sent\n":
            raise RuntimeError(f"the producer of {self.system.name} ended")

    def run(self, kind: str, count: int, *, timeout_s: float = STALL_S_MAX) -> list[Mark]:
        """Send so many jobs and wait until they ran; return their marks. Raises TimeoutError."""
        self.send(kind, count)
        marks = self._marks.take(count, timeout_s=timeout_s)
        self.wait_sent()
        return marks

    def take(self, count: int) -> list[Mark]:
        """Wait for jobs that were sent before. Raises TimeoutError."""
        return self._marks.take(count, timeout_s=STALL_S_MAX)

    def cpu_s(self) -> float:
        """Return the CPU time that its processes, producer and workers with their children, have taken so far."""
        sessions = {process.pid for process in (self._sender, *self._workers) if process is not None}
        return sum(_cpu_s_of(entry, sessions) for entry in Path("/proc").iterdir() if entry.name.isdigit())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stand the workers still for the block, with all their children."""
        for worker in self._workers:
            os.killpg(worker.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for worker in self._workers:
                os.killpg(worker.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End its processes: what they have in hand is thrown away with the server."""
        for process in (self._sender, *self._workers):
            if process is not None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _running_sender(self) -> subprocess.Popen[str]:
        if self._sender is None:
            raise RuntimeError(f"{self.system.name} was not started")
        return self._sender


@contextmanager
def running(systems: Mapping[str, System]) -> Iterator[dict[str, Entrant]]:
    """Yield the libraries, started and warm; stop them after the block."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        marks = Marks(Path(folder))
        stack.callback(marks.close)
        entrants = {name: Entrant(system, marks) for name, system in systems.items()}
        for entrant in entrants.values():
            stack.callback(entrant.stop)
            entrant.start()
        yield entrants


def _environment(system: System, marks: Marks) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return inherited | dict(system.variables) | {PIPE_VARIABLE: str(marks.path)}


def _cpu_s_of(process: Path, sessions: set[int]) -> float:
    """Return the CPU time of a process, if it belongs to one of these sessions and is still there (proc(5): stat)."""
    try:
        words = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    ticks = sum(int(word) for word in words[11:15])  # its own, and those of its children that ended
    return ticks / os.sysconf("SC_CLK_TCK") if int(words[3]) in sessions else 0.0
