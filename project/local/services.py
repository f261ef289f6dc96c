"""The services of a desk on this machine: the process table turned into things that the supervisor can run."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from apps.backups.embedded import EmbeddedPostgres
from project.local.environment import service_environment, wipe_metrics
from project.local.flower import watched
from project.local.folder import DataFolder
from project.local.options import Options
from project.local.probe import answers
from project.local.processes import SOFT_SHUTDOWN_S, WORKERS, Worker, beat_command, web_command, world_command
from project.local.supervisor import Service
from project.local.valkey import EmbeddedValkey

STOP_MARGIN_S = 15.0
DESK_WAVE, WORLD_WAVE, SERVER_WAVE = 0, 1, 2  # who serves others stops after them


def postgres_service(server: EmbeddedPostgres, environment: Mapping[str, str]) -> Service:
    """Return the embedded PostgreSQL as a service."""
    return Service(
        name="postgres",
        command=tuple(server.command()),
        environment=environment,
        is_ready=server.is_ready,
        prepare=server.clear_stale,
        launch=server.launch_options(),
        stop_signals=((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0)),  # PostgreSQL's fast shutdown, then its immediate one
        wave=SERVER_WAVE,
    )


def valkey_service(server: EmbeddedValkey, environment: Mapping[str, str]) -> Service:
    """Return the embedded Valkey as a service."""
    return Service(
        name="valkey", command=tuple(server.command()), environment=environment, is_ready=server.is_ready, wave=SERVER_WAVE
    )


def world_service(options: Options, folder: DataFolder, port: int, environment: Mapping[str, str], root: Path) -> Service:
    """Return the recorded world as a service on a loopback port."""
    ready = folder.path / "world.ready"
    return Service(
        name="world",
        command=_python(world_command(port, options.speed, str(folder.path / "world.json"), str(ready), options.markets)),
        environment=environment,
        is_ready=ready.exists,
        prepare=lambda: ready.unlink(missing_ok=True),
        launch={"cwd": root},
        wave=WORLD_WAVE,
    )


def desk_services(options: Options, folder: DataFolder, port: int, shared: Mapping[str, str], root: Path) -> Iterator[Service]:
    """Yield web, the workers and beat."""
    yield Service(
        name="web",
        command=_python(web_command(f"127.0.0.1:{port}")),
        environment=service_environment(shared, folder, "web"),
        is_ready=lambda: answers(port, "/healthz"),
        prepare=wipe_metrics(folder, "web"),
        launch={"cwd": root},
        stop_signals=((signal.SIGTERM, STOP_MARGIN_S),),
    )
    for worker in WORKERS:
        yield _worker_service(worker, options, folder, shared, root)
    if options.has_beat:
        yield Service(
            name="beat",
            command=_python(beat_command()),
            environment=service_environment(shared, folder, "beat"),
            prepare=wipe_metrics(folder, "beat"),
            launch={"cwd": root},
            # Celery's SIGTERM handler writes to the database from wherever it interrupted; inside a query it waits for
            # its own lock. What it would write, the rows know better.
            stop_signals=((signal.SIGTERM, 3.0), (signal.SIGHUP, 2.0)),
        )


def manage(*words: str) -> tuple[str, ...]:
    """Return the command line of a management command."""
    return (sys.executable, "manage.py", *words)


def _worker_service(worker: Worker, options: Options, folder: DataFolder, shared: Mapping[str, str], root: Path) -> Service:
    factor = options.workers if worker.name == "worker_fetch" else 1
    command = worker.command(worker.concurrency * factor)
    return Service(
        name=worker.name,
        command=_python(watched(command) if options.has_flower else command),
        environment=service_environment(shared, folder, worker.name),
        prepare=wipe_metrics(folder, worker.name),
        launch={"cwd": root},
        # A warm shutdown lets tasks finish; then the unfinished ones are given back to the queue.
        stop_signals=((signal.SIGTERM, STOP_MARGIN_S), (signal.SIGQUIT, SOFT_SHUTDOWN_S + STOP_MARGIN_S)),
        niceness=worker.niceness,
    )


def _python(module_and_arguments: tuple[str, ...]) -> tuple[str, ...]:
    return (sys.executable, "-m", *module_and_arguments)
