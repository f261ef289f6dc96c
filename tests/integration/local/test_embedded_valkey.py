"""The embedded Valkey: private, on loopback, and nothing is evicted or forgotten."""

from __future__ import annotations

import socket
import stat
import subprocess
import time

import pytest
import redis

from apps.backups.embedded import free_port
from project.local.valkey import EmbeddedValkey


class Running:
    """The server and its process."""

    def __init__(self, server):
        self.server = server
        self.start()

    def start(self):
        self.server.prepare()
        self.process = subprocess.Popen(self.server.command(), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self.server.is_ready() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.server.is_ready()

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def running(tmp_path):
    made = Running(EmbeddedValkey(tmp_path / "valkey", port=free_port()))
    yield made
    made.kill()


def test_it_answers_with_the_password_only(running):
    with redis.Redis.from_url(running.server.url) as client:
        assert client.ping()
    with redis.Redis(port=running.server.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_it_listens_on_loopback_only_evicts_nothing_and_syncs_every_second(running):
    with redis.Redis.from_url(running.server.url, decode_responses=True) as client:
        settings = {name: client.config_get(name)[name] for name in ("bind", "maxmemory-policy", "appendonly", "appendfsync")}
    assert settings == {"bind": "127.0.0.1", "maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}


def test_the_password_is_private_and_on_no_command_line(running):
    password = running.server.url.split(":")[2].split("@")[0]
    assert len(password) >= 40
    for name in ("password", "valkey.conf"):
        assert stat.S_IMODE((running.server.directory / name).stat().st_mode) == 0o600
    assert not any(password in word for word in running.server.command())


def test_broker_cache_and_kit_have_databases_of_their_own(running):
    for number in (0, 1, 2):
        with redis.Redis.from_url(f"{running.server.url[:-1]}{number}") as client:
            client.set("mine", number)
    for number in (0, 1, 2):
        with redis.Redis.from_url(f"{running.server.url[:-1]}{number}") as client:
            assert client.get("mine") == str(number).encode()


def test_what_was_synced_survives_a_kill(running):
    with redis.Redis.from_url(running.server.url) as client:
        client.set("queued", "task")
        client.waitaof(1, 0, 5000)
    running.kill()
    running.start()
    with redis.Redis.from_url(running.server.url) as client:
        assert client.get("queued") == b"task"


def test_it_is_not_ready_while_nothing_or_something_else_listens(tmp_path):
    server = EmbeddedValkey(tmp_path / "valkey", port=free_port())
    server.prepare()
    assert not server.is_ready()
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        assert not server.is_ready()
