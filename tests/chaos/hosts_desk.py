"""A desk on several hosts: one PostgreSQL and one Valkey on the hub, workers and beats wherever the test puts them.

The test itself stays outside: it reaches both servers through their Unix sockets, which no network can cut.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from project.local.valkey import EmbeddedValkey
from tests.chaos.hosts_on_a_bridge import HUB_ADDRESS, NETWORK, Host, Network, network
from tests.chaos.queue_desk import DISCARDED_ENVIRONMENT, ROOT, Client, QueueDesk
from tests.chaos.queue_servers import QueueServers, SyncedPostgres

POSTGRES_PORT, VALKEY_PORT = 5432, 6379  # the hub's ports are its own


class HubPostgres(SyncedPostgres):
    """A server on the hub's address, with passwords by SCRAM, and on its socket."""

    def init(self) -> None:
        """Let the hosts of the network in, with their passwords."""
        super().init()
        rules = self.data / "pg_hba.conf"
        rule = f"host all all {NETWORK}.0/24 scram-sha-256\n"
        if rule not in rules.read_text():
            rules.write_text(rules.read_text() + rule)

    def command(self) -> list[str]:
        """Return the command line: of two settings the later one counts."""
        return [*super().command(), "-c", f"listen_addresses={HUB_ADDRESS}"]


class HubValkey(EmbeddedValkey):
    """A server on the hub's address and on its socket."""

    @property
    def url(self) -> str:
        """The address for hosts of the network."""
        return super().url.replace("127.0.0.1", HUB_ADDRESS)

    @property
    def socket(self) -> Path:
        """The address for the test."""
        return self.directory / "socket"

    def _configuration(self) -> list[str]:
        lines = [f"{line} {HUB_ADDRESS}" if line.startswith("bind ") else line for line in super()._configuration()]
        return [*lines, f'unixsocket "{self.socket}"', "unixsocketperm 700"]


class HubServers(QueueServers):
    """Both servers; whatever starts them must run on the hub."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.postgres = HubPostgres(folder / "postgres")
        self.valkey: HubValkey = HubValkey(folder / "valkey", port=VALKEY_PORT, durable=False)

    def addresses(self) -> dict[str, str]:
        """Return the variables that point at them, for hosts of the network."""
        dsn = self.postgres.dsn
        head, tail = dsn.rsplit("@", 1)[0], dsn.rsplit("/", 1)[1]
        return {"DATABASE_URL": f"{head}@{HUB_ADDRESS}:{POSTGRES_PORT}/{tail}", "REDIS_URL": self.valkey.url}

    def redis(self) -> redis.Redis:
        """Return a client of the broker's database for the test."""
        password = (self.valkey.directory / "password").read_text().strip()
        return redis.Redis(unix_socket_path=str(self.valkey.socket), password=password)


class HostedDesk(QueueDesk):
    """One desk on the hosts of a network; a process that was not put anywhere runs on the hub."""

    def __init__(self, folder: Path, servers: HubServers, net: Network) -> None:
        super().__init__(folder, servers)
        self.network = net
        self._places: dict[str, Host] = {}

    def put(self, name: str, host: Host) -> None:
        """Say on which host the process of this name is to run."""
        self._places[name] = host

    def _launch(self, name: str, words: list[str]) -> None:
        self._places.get(name, self.network.hub).run(super()._launch, name, words)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Give a caller on the hub."""
        with ExitStack() as ends:
            yield self.network.hub.run(ends.enter_context, super().client())


@contextmanager
def hosted_desk(folder: Path, *names: str) -> Iterator[HostedDesk]:
    """Give an empty desk with a host for each name; servers, processes and network end with the block."""
    home = Path(tempfile.mkdtemp(prefix="bw-hosts-"))  # short: a socket's path has room for 107 bytes
    home.chmod(0o711)
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, home, ignore_errors=True)
        net = ends.enter_context(network(*names))
        servers = HubServers(home)
        ends.callback(servers.stop)
        kept = {name: value for name, value in os.environ.items() if name not in DISCARDED_ENVIRONMENT}
        net.hub.run(servers.start, {**kept, "ENVIRONMENT": "test", "PYTHONPATH": str(ROOT)})
        desk = HostedDesk(folder, servers, net)
        ends.callback(desk.stop)
        desk.effects.prepare()
        yield desk
