"""An embedded PostgreSQL server, for a machine that has nothing but Python. Standard library only, no Django.

`project/local` runs one for the desk, the tests run one for themselves, and `verify_backup` restores into a scratch one.
The server listens on a Unix socket of its own or on a loopback port, with a generated password (scram-sha-256) that is
kept in a file of mode 0600. Never used in production images.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from apps.backups.postgres_tools import ToolMissing, find_tools
from apps.backups.server_home import (
    EmbeddedError,
    choose_home,
    give_to_server,
    known_home,
    run_as,
    usable_programs,
)
from apps.core.ids import fresh_token

__all__ = ["EmbeddedError", "EmbeddedPostgres", "ToolMissing", "find_tools", "scratch_server"]

ROLE = "bellwether"
DATABASE = "bellwether"
SOCKET_PORT = 5432  # only names the socket file; nothing listens on TCP then
LONGEST_SOCKET_PATH = 107  # sizeof(sun_path) - 1 on Linux
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.05
PR_SET_PDEATHSIG = 1
SETTINGS = {
    "shared_buffers": "64MB",
    "max_connections": "120",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "512MB",
    "jit": "off",  # compiling costs more than our small queries
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# What a server may skip when its data is thrown away afterwards.
SCRATCH_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "1h"}


class EmbeddedPostgres:
    """One server in one folder: `init`, `start`, `stop`, `dsn`. With `port` it listens on loopback TCP, else on a socket."""

    def __init__(self, directory: Path, *, port: int | None = None, scratch: bool = False) -> None:
        self.directory = directory.absolute()
        self.scratch = scratch
        self.process: subprocess.Popen[bytes] | None = None
        self._port = port

    @property
    def home(self) -> Path:
        """The folder that really holds the server (see `server_home.choose_home`)."""
        return known_home(self.directory)

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The file into which the server writes its log."""
        return self.home / "server.log"

    @property
    def dsn(self) -> str:
        """The address, password included: `postgres://role:password@host:port/database`."""
        host = "127.0.0.1" if self.port else quote(str(self._socket_folder), safe="")
        return f"postgres://{ROLE}:{self._password()}@{host}:{self.port or SOCKET_PORT}/{DATABASE}"

    @property
    def port(self) -> int | None:
        """The loopback port, or None while the server listens on its socket."""
        longest = f"{self._socket_folder}/.s.PGSQL.{SOCKET_PORT}.lock"
        if self._port is None and len(longest.encode()) > LONGEST_SOCKET_PATH:
            self._port = free_port()
        return self._port

    def init(self) -> None:
        """Create the folder, the password and the database cluster where they are missing. Raises EmbeddedError."""
        home = choose_home(self.directory)
        if (home / "data" / "PG_VERSION").exists():
            self._refuse_foreign_data()
            return
        shutil.rmtree(home / "data", ignore_errors=True)  # what an interrupted initdb left
        for name in ("data", "socket"):
            (home / name).mkdir(exist_ok=True)
            (home / name).chmod(0o700 if name == "data" else 0o711)
            give_to_server(home / name)
        _write_private(home / "password", fresh_token())
        self._initdb()

    def command(self) -> list[str]:
        """Return the command line of the server; run it with `launch_options()`."""
        chosen = SETTINGS | (SCRATCH_SETTINGS if self.scratch else {})
        on_socket = self.port is None
        chosen["listen_addresses"] = "" if on_socket else "127.0.0.1"
        chosen["unix_socket_directories"] = str(self._socket_folder) if on_socket else ""
        flags = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        return [str(usable_programs() / "postgres"), "-D", str(self.data), "-p", str(self.port or SOCKET_PORT), *flags]

    def launch_options(self) -> dict[str, Any]:
        """Return the arguments of `subprocess.Popen` that the server needs: identity and working folder."""
        return {"cwd": "/", **run_as()}

    def start(self) -> None:
        """Start the server and wait until it answers. Raises EmbeddedError with the last line of its log."""
        self.init()
        self.clear_stale()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one system call, no lock can be held
                **self.launch_options(),
            )
        for _ in range(int(START_TIMEOUT_S / POLL_S)):
            if self.is_ready():
                return
            if _ended_within(self.process, POLL_S):
                break
        self.stop()
        raise EmbeddedError(f"PostgreSQL did not start: {self.last_words()}")

    def stop(self) -> None:
        """Stop the server that `start` started: fast shutdown first, then harder."""
        if self.process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            self.process.send_signal(how)
            if _ended_within(self.process, STOP_TIMEOUT_S):
                break
        self.process = None

    def destroy(self) -> None:
        """Stop the server and delete everything that it kept."""
        self.stop()
        home = self.home
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def is_ready(self) -> bool:
        """Whether the server says in its pid file that it takes connections."""
        lines = self._pid_lines()
        return len(lines) > 7 and lines[7].strip() == "ready"

    def clear_stale(self) -> None:
        """Stop a server of this folder that outlived its supervisor, and remove the files of one that did not."""
        pid_file = self.data / "postmaster.pid"
        lines = self._pid_lines()
        if lines and _is_server_of(int(lines[0]), self.data):
            self._stop_survivor()
        pid_file.unlink(missing_ok=True)
        for left_over in self._socket_folder.glob(".s.PGSQL.*"):
            left_over.unlink()

    def last_words(self) -> str:
        """Return the last line of the server's log that says what went wrong."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        telling = [line for line in lines[-20:] if "FATAL" in line or "PANIC" in line or "ERROR" in line]
        return (telling or lines or ["it left no log"])[-1]

    @property
    def _socket_folder(self) -> Path:
        return self.home / "socket"

    def _password(self) -> str:
        return (self.home / "password").read_text().strip()

    def _pid_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _refuse_foreign_data(self) -> None:
        owner = self.data.stat().st_uid
        expected = run_as().get("user", os.geteuid())
        if owner != expected:
            raise EmbeddedError(f"the database in {self.data} belongs to uid {owner}, and PostgreSQL would run as uid {expected}")

    def _initdb(self) -> None:
        hand_over = self.home / "data.password"
        _write_private(hand_over, self._password())
        give_to_server(hand_over)
        programs = usable_programs()
        locale = ["-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb = [str(programs / "initdb"), "-D", str(self.data), "-U", ROLE, "-A", "scram-sha-256", "-N", "--no-instructions"]
        try:
            self._run([*initdb, f"--pwfile={hand_over}", *locale])
        finally:
            hand_over.unlink()
        self._run([str(programs / "postgres"), "--single", "-D", str(self.data), "postgres"], f"CREATE DATABASE {DATABASE}\n")

    def _run(self, command: list[str], typed: str = "") -> None:
        done = subprocess.run(command, input=typed, text=True, capture_output=True, check=False, **self.launch_options())
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            said = (done.stderr or done.stdout).strip().splitlines() or [f"exit {done.returncode}"]
            raise EmbeddedError(f"PostgreSQL's {Path(command[0]).name} failed: {said[-1]}")

    def _stop_survivor(self) -> None:
        pg_ctl = [str(usable_programs() / "pg_ctl"), "stop", "-D", str(self.data), "-w", "-t", "10", "-s"]
        for mode in ("fast", "immediate"):
            done = subprocess.run([*pg_ctl, "-m", mode], capture_output=True, check=False, **self.launch_options())
            if done.returncode == 0:
                return
        raise EmbeddedError(f"an older PostgreSQL still runs in {self.data} and does not stop")


@contextmanager
def scratch_server() -> Iterator[EmbeddedPostgres]:
    """Yield a running server in a folder of its own that is deleted afterwards, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="bw-pg-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    server = EmbeddedPostgres(folder, scratch=True)
    try:
        server.start()
        yield server
    finally:
        server.destroy()


def free_port() -> int:
    """Return a loopback TCP port on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")


def _ended_within(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    try:
        process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _is_server_of(pid: int, data: Path) -> bool:
    """Whether process `pid` is a PostgreSQL server of the folder `data`, and not a stranger with a reused number."""
    return any(word.endswith(b"postgres") for word in _words_of(pid)[:1]) and os.fsencode(data) in _words_of(pid)


def _words_of(pid: int) -> list[bytes]:
    if Path("/proc/self").exists():
        command_line = Path(f"/proc/{pid}/cmdline")
        return command_line.read_bytes().split(b"\0") if command_line.exists() else []
    listed = subprocess.run(["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)
    return listed.stdout.split()


def _end_with_parent() -> Callable[[], None] | None:
    """On Linux, return what makes the kernel stop the server (fast shutdown) when the process that started it dies."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT))

    return ask_kernel
