"""A master, its replica and three Sentinels, each a process on a loopback port of its own, with passwords."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from apps.backups.embedded import free_port
from project.local.valkey import find_server

MASTER = "bellwether"
PASSWORD = "of: the/servers"  # words that an address must quote
SENTINEL_PASSWORD = "of-the-sentinels"
SILENCE_MS = 1000  # a master that is silent for so long is down
READY_S_MAX = 20.0


class SentinelWorld:
    """Five processes in one folder; `url` is what the desk is given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.servers = [free_port(), free_port()]
        self.sentinels = [free_port() for _ in range(3)]

    @property
    def url(self) -> str:
        """The address of database 0 of whichever server is the master."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"sentinel://:of%3A%20the%2Fservers@{hosts}/0?master={MASTER}&sentinel_password={SENTINEL_PASSWORD}"

    def start(self) -> None:
        """Start all five and wait until the Sentinels know each other and the replica."""
        first, second = self.servers
        self.start_server(first)
        self.start_server(second, replica_of=first)
        # A Sentinel looks for replicas every ten seconds: the first look should find this one.
        wait_until(lambda: self._has_replica(first), "the replica follows")
        for port in self.sentinels:
            self._start_sentinel(port)
        wait_until(self._is_watched, "the Sentinels know the replica and each other")

    def start_server(self, port: int, *, replica_of: int | None = None) -> None:
        """Start a server, empty, as a master or as the replica of another."""
        folder = self._folder / str(port)
        folder.mkdir(exist_ok=True)
        lines = [
            *("bind 127.0.0.1", f"port {port}", f'dir "{folder}"', 'save ""', "appendonly no", "maxmemory-policy noeviction"),
            *(f'requirepass "{PASSWORD}"', f'primaryauth "{PASSWORD}"', "repl-diskless-sync-delay 0"),
            *([f"replicaof 127.0.0.1 {replica_of}"] if replica_of else []),
        ]
        self._start(port, lines, ())

    def master(self) -> int:
        """Return the port of the server that the Sentinels call the master."""
        with self._sentinel(self.sentinels[0]) as client:
            return int(client.sentinel_get_master_addr_by_name(MASTER)[1])

    def kill(self, port: int) -> None:
        """End a process as a crash would."""
        process = self._processes.pop(port)
        process.kill()
        process.wait()

    def fail_over(self) -> None:
        """Let the Sentinels hand the mastery over although nothing is down; the old master stays, as a replica."""
        with self._sentinel(self.sentinels[0]) as client:
            client.sentinel_failover(MASTER)

    def client(self, port: int) -> redis.Redis:
        """Return a client of one server."""
        return redis.Redis(port=port, password=PASSWORD, socket_timeout=2, decode_responses=True)

    def stop(self) -> None:
        """End what still runs."""
        for port in list(self._processes):
            self.kill(port)

    def _start_sentinel(self, port: int) -> None:
        (self._folder / str(port)).mkdir(exist_ok=True)
        watch = [
            f"sentinel monitor {MASTER} 127.0.0.1 {self.servers[0]} 2",
            f'sentinel auth-pass {MASTER} "{PASSWORD}"',
            f"sentinel down-after-milliseconds {MASTER} {SILENCE_MS}",
            f"sentinel failover-timeout {MASTER} 5000",
            f'sentinel sentinel-pass "{SENTINEL_PASSWORD}"',
        ]
        login = [f'requirepass "{SENTINEL_PASSWORD}"', f'dir "{self._folder / str(port)}"']
        self._start(port, ["bind 127.0.0.1", f"port {port}", *login, *watch], ("--sentinel",))

    def _start(self, port: int, lines: list[str], words: tuple[str, ...]) -> None:
        configuration = self._folder / f"{port}.conf"
        configuration.write_text("\n".join(lines) + "\n")
        with (self._folder / f"{port}.log").open("ab") as log:
            self._processes[port] = subprocess.Popen([str(find_server()), str(configuration), *words], stdout=log)

    def _has_replica(self, port: int) -> bool:
        with self.client(port) as client:
            return bool(client.info("replication")["connected_slaves"])

    def _is_watched(self) -> bool:
        def state(port: int) -> tuple[int, int]:
            with self._sentinel(port) as client:
                told = client.sentinel_master(MASTER)
            return told["num-slaves"], told["num-other-sentinels"]

        return all(state(port) == (1, 2) for port in self.sentinels)

    def _sentinel(self, port: int) -> redis.Redis:
        return redis.Redis(port=port, password=SENTINEL_PASSWORD, socket_timeout=2)


@contextmanager
def sentinel_world(folder: Path) -> Iterator[SentinelWorld]:
    """Yield a running world and end it, whatever happens."""
    world = SentinelWorld(folder)
    try:
        world.start()
        yield world
    finally:
        world.stop()


def wait_until(holds: Callable[[], bool], what: str, *, seconds: float = READY_S_MAX) -> float:
    """Wait until it holds and return the seconds that it took; being refused is not holding yet."""
    started_s = time.monotonic()
    while not _holds(holds):
        if time.monotonic() - started_s > seconds:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - started_s


def _holds(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except (redis.RedisError, OSError):
        return False
