"""Servers of the operator's own that cannot be used: one line that names them, before anything is started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from apps.backups.embedded import free_port
from project.local.given_servers import GIVE_UP_S, check_servers
from project.local.preflight import CannotStart
from project.local.valkey import EmbeddedValkey
from tasks.broker import evicting_line

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PASSWORD = "hidden-word"
BEGIN = [sys.executable, "-P", str(ROOT / "bin" / "begin.py"), "project.local.up"]


def begin_up(folder, **variables):
    return subprocess.Popen(
        [*BEGIN, "--port", "0", "--data", str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refusal(database_url="", redis_url=""):
    with pytest.raises(CannotStart) as caught:
        check_servers(database_url, redis_url)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def silent_port():
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        yield server.getsockname()[1]


@pytest.fixture
def valkey(tmp_path):
    server = EmbeddedValkey(tmp_path / "valkey", port=free_port(), durable=False)
    server.prepare()
    process = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not server.is_ready() and time.monotonic() < deadline:
        time.sleep(0.05)
    yield server
    process.terminate()
    process.wait()


def test_servers_that_are_there_are_accepted_and_none_given_is_none_asked(valkey):
    check_servers(os.environ["DATABASE_URL"].rpartition("/")[0] + "/postgres", valkey.url)
    check_servers("", "")


def test_a_dead_server_is_named_with_its_reason_and_without_its_password():
    port = free_port()
    assert refusal(database_url=f"postgres://desk:{PASSWORD}@127.0.0.1:{port}/ledger") == (
        f"DATABASE_URL: PostgreSQL at 127.0.0.1:{port}, database ledger: Connection refused"
    )
    assert refusal(redis_url=f"redis://:{PASSWORD}@127.0.0.1:{port}/3") == (
        f"REDIS_URL: Redis at 127.0.0.1:{port}, database 3: Connection refused."
    )
    sentinels = f"sentinel://:{PASSWORD}@127.0.0.1:{port},127.0.0.1:{port}/0?master=bellwether"
    assert refusal(redis_url=sentinels) == (
        f"REDIS_URL: Redis at master bellwether under the Sentinels 127.0.0.1:{port}, 127.0.0.1:{port}, database 0: "
        "No master found for 'bellwether'"
    )


def test_addresses_that_are_none_are_refused():
    assert refusal("nonsense") == "DATABASE_URL cannot be read: UnknownSchemeError"
    assert refusal("mysql://desk@127.0.0.1/desk") == "DATABASE_URL must be a postgres:// address"
    assert refusal(redis_url="nonsense").startswith("REDIS_URL must be an address such as redis://")
    assert refusal(redis_url=f"redis://127.0.0.1:6379/0?bogus={PASSWORD}") == "REDIS_URL cannot be read: TypeError"


def test_a_missing_database_and_a_wrong_password_are_reasons(valkey):
    there = os.environ["DATABASE_URL"].rpartition("/")[0]
    assert refusal(f"{there}/no_such_desk").endswith('database no_such_desk: FATAL:  database "no_such_desk" does not exist')
    line = refusal(redis_url=f"redis://:{PASSWORD}@127.0.0.1:{valkey.port}/0")
    assert line.startswith(f"REDIS_URL: Redis at 127.0.0.1:{valkey.port}, database 0: ")
    assert "invalid username-password pair" in line


@pytest.mark.parametrize(("policy", "is_refused"), [("allkeys-lru", True), ("volatile-lru", False), ("noeviction", False)])
def test_a_broker_that_may_evict_messages_is_refused_in_the_workers_words(valkey, policy, is_refused):
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("maxmemory-policy", policy)
    if is_refused:
        assert refusal(redis_url=valkey.url).endswith(f", database 0: {evicting_line(policy)}")
    else:
        check_servers("", valkey.url)


def test_two_silent_servers_are_both_named_and_cost_the_time_of_one(silent_port):
    started = time.monotonic()
    line = refusal(f"postgres://desk:{PASSWORD}@127.0.0.1:{silent_port}/ledger", f"redis://127.0.0.1:{silent_port}/0")
    assert time.monotonic() - started < GIVE_UP_S + 4
    postgres, redis_part = line.split("; ")
    assert postgres.startswith(f"DATABASE_URL: PostgreSQL at 127.0.0.1:{silent_port}, database ledger: ")
    assert redis_part.startswith(f"REDIS_URL: Redis at 127.0.0.1:{silent_port}, database 0: ")


def test_bin_up_refuses_them_before_it_makes_or_starts_anything(tmp_path):
    port = free_port()
    process = begin_up(
        tmp_path / "d",
        DATABASE_URL=f"postgres://desk:{PASSWORD}@127.0.0.1:{port}/ledger",
        REDIS_URL=f"redis://127.0.0.1:{port}/0",
    )
    said, complaint = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, "")
    assert complaint == (
        f"bin/up: DATABASE_URL: PostgreSQL at 127.0.0.1:{port}, database ledger: Connection refused; "
        f"REDIS_URL: Redis at 127.0.0.1:{port}, database 0: Connection refused.\n"
    )
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.6, 1.0, 2.0])
def test_ctrl_c_before_the_desk_runs_says_nothing_and_ends_with_130(tmp_path, silent_port, after_s):
    process = begin_up(tmp_path / "d", DATABASE_URL=f"postgres://desk@127.0.0.1:{silent_port}/d", REDIS_URL="")
    time.sleep(after_s)  # while Python imports, or while the server that says nothing is asked
    process.send_signal(signal.SIGINT)
    said, complaint = process.communicate(timeout=30)
    assert (process.returncode, said, complaint) == (130, "", "")
