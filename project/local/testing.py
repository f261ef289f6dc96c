"""`bin/test`: the whole suite on embedded servers of its own, which end with it whatever happens.

The servers listen on free ports or sockets in a temporary folder, skip what only durable data needs, and are given to
pytest by DATABASE_URL and REDIS_URL. The exit code is pytest's, or 2 when the servers cannot start.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from apps.backups.embedded import EmbeddedError, EmbeddedPostgres, ToolMissing, free_port
from apps.core.ids import fresh_token
from project.local.clock import pause_s
from project.local.folder import MARK
from project.local.guard import Guard
from project.local.preflight import CannotStart
from project.local.services import postgres_service, valkey_service
from project.local.stopping import StopRequest
from project.local.supervisor import Stopped, Supervisor
from project.local.valkey import EmbeddedValkey

EXIT_CANNOT = 2
EXIT_STOPPED = 130
POLL_S = 0.1
# One more than two cores: the long tests mostly wait, for leases, kills and shutdowns (24 min with two, 14 with three).
PYTEST_WORKERS = ("-n", "3")
CHOOSES_WORKERS = ("-n", "--numprocesses", "--dist", "no:xdist", "--pdb", "--trace")


def main(arguments: Sequence[str]) -> int:
    """Start the servers, run pytest with `arguments`, and return its exit code."""
    stop = StopRequest()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda _number, _frame: stop.ask())
    try:
        with test_servers(stop) as variables:
            return _run_pytest(arguments, variables, stop)
    except Stopped:
        return EXIT_STOPPED
    except (CannotStart, EmbeddedError, ToolMissing, OSError) as error:
        sys.stderr.write(f"bin/test: {error}\n")
        return EXIT_CANNOT


@contextmanager
def test_servers(stop: StopRequest) -> Iterator[dict[str, str]]:
    """Yield the variables that point at a fresh PostgreSQL and a fresh Valkey in a folder that is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="bw-test-"))
    folder.chmod(0o711)  # PostgreSQL's identity walks through it
    guard = Guard(folder)
    supervisor = Supervisor(
        logs=folder, guard=guard, stop=stop, say=lambda line: print(line, file=sys.stderr), changed=lambda: None
    )
    postgres = EmbeddedPostgres(folder / "postgres", scratch=True)
    valkey = EmbeddedValkey(folder / "valkey", port=free_port(), durable=False)
    marked = dict(os.environ) | {MARK: str(folder)}
    try:
        postgres.init()
        valkey.prepare()
        supervisor.bring_up(postgres_service(postgres, marked), valkey_service(valkey, marked))
        yield _variables(postgres, valkey)
    finally:
        supervisor.shut_down()
        guard.release()
        postgres.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def pytest_command(arguments: Sequence[str]) -> list[str]:
    """Return pytest's command line: on three workers, unless the arguments say otherwise."""
    has_choice = any(argument.startswith(CHOOSES_WORKERS) for argument in arguments)
    return [sys.executable, "-m", "pytest", *(() if has_choice else PYTEST_WORKERS), *arguments]


def _variables(postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> dict[str, str]:
    return {
        "DATABASE_URL": postgres.dsn,
        "REDIS_URL": valkey.url,
        "SECRET_KEY": fresh_token(48),
        "ENVIRONMENT": "test",
    }


def _run_pytest(arguments: Sequence[str], variables: Mapping[str, str], stop: StopRequest) -> int:
    process = subprocess.Popen(pytest_command(arguments), env=dict(os.environ) | dict(variables))
    while process.poll() is None:
        if stop.came_within(0.2):
            _end(process)
            raise Stopped
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """End pytest: Ctrl-C reached it too and it prints what it has; anything else it is told."""
    for patience_s, tell in ((3.0, process.terminate), (5.0, process.kill)):
        for _ in range(int(patience_s / POLL_S)):
            if process.poll() is not None:
                return
            pause_s(POLL_S)
        tell()
    process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
