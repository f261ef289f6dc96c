"""bin/up itself: the whole desk starts, survives, refuses a second start, continues, and stops without a trace."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest
import redis

from apps.backups.embedded import free_port
from project.local.folder import MARK, is_alive
from project.local.stopping import StopRequest
from project.local.testing import test_servers as servers_for_tests

ROOT = Path(__file__).resolve().parent.parent.parent.parent
UP_WITHIN_S = 120
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
OURS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "OPS_TOKEN", "ENVIRONMENT")


class Up:
    """One bin/up in a folder of its own."""

    def __init__(self, folder, port, *words, **variables):
        self.folder, self.port = folder, port
        self.desk_file = folder / "desk.json"
        self.output = (folder.parent / f"{folder.name}.out").open("a+")
        variables = {name: value for name, value in os.environ.items() if name not in OURS} | variables
        self.process = subprocess.Popen(
            [sys.executable, "-m", "project.local.up", "--data", str(folder), "--port", str(port), *words],
            cwd=ROOT,
            env=variables,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until_up(self):
        assert eventually(lambda: self.desk_file.exists() or self.process.poll() is not None, UP_WITHIN_S)
        assert self.desk_file.exists(), self.said()
        return self.desk()

    def desk(self):
        return json.loads(self.desk_file.read_text())

    def said(self):
        self.output.seek(0)
        return self.output.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=60)
        self.output.close()
        return code


def eventually(holds, within_s=30.0):
    deadline = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()


def marked(folder):
    """Return the processes of the desk in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(f"{MARK}={folder}") in variables and is_alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def answers(url):
    try:
        with urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def place(tmp_path_factory):
    """A folder that PostgreSQL's identity can reach, so that nothing is kept outside of it."""
    path = tmp_path_factory.mktemp("up")
    for part in (path, path.parent):
        part.chmod(0o711)
    return path


@pytest.fixture
def begin(place):
    started = []

    def start(name="desk", *words, **variables):
        started.append(Up(place / name, free_port(), *(words or ("--speed", "120")), **variables))
        return started[-1]

    yield start
    for up in started:
        if not up.output.closed:
            up.stop()


def test_the_desk_starts_describes_itself_continues_and_leaves_nothing(begin):
    up = begin()
    desk = up.wait_until_up()

    # It is described, to its owner alone, and everything described is there.
    assert stat.S_IMODE(up.desk_file.stat().st_mode) == 0o600
    assert desk["web"] == f"http://127.0.0.1:{up.port}"
    listed = {name: pids for name, pids in desk["pids"].items() if isinstance(pids, list)}
    assert set(listed) == {
        "web",
        "worker_fetch",
        "worker_forecast",
        "worker_money",
        "worker_backup",
        "worker_upkeep",
        "beat",
        "world",
    }
    assert all(is_alive(pid) for pids in listed.values() for pid in pids)
    assert all(len(pids) == 1 for pids in listed.values())
    assert is_alive(desk["pids"]["postgres"])
    assert is_alive(desk["pids"]["valkey"])
    assert answers(f"{desk['web']}/healthz")
    assert answers(f"{desk['world']}/_world/status")
    with psycopg.connect(desk["database_url"]) as connection:
        tables = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert {"markets_market", "trading_fill", "settlement_settlement"} <= tables
    with redis.Redis.from_url(desk["redis_url"]) as client:
        assert client.ping()
    assert "(shown this once)" in up.said()

    # A second start in the same folder is refused and disturbs nobody.
    second = begin()
    assert second.process.wait(timeout=30) == 2
    assert "another bin/up" in second.said().splitlines()[-1]
    assert up.desk() == desk

    # A killed process comes back, is announced, and the description follows.
    killed = desk["pids"]["web"][0]
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: up.desk()["pids"]["web"] not in ([], [killed]))
    assert eventually(lambda: answers(f"{desk['web']}/healthz"))
    assert f"web (pid {killed}) was killed by signal 9; starting it again in 0.5 s" in up.said()

    # Ctrl-C ends everything and removes the description; what is kept is kept.
    assert up.stop() == 0
    assert marked(up.folder) == []
    assert not is_alive(desk["pids"]["postgres"])
    assert not up.desk_file.exists()

    # The next start continues: same secrets, no new password; killed, it leaves no process.
    again = begin()
    continued = again.wait_until_up()
    assert (continued["ops_token"], continued["tenant"]) == (desk["ops_token"], desk["tenant"])
    assert again.said().count("(shown this once)") == 1  # the first start's
    again.process.kill()
    again.process.wait()
    assert eventually(lambda: marked(again.folder) == [] and not is_alive(continued["pids"]["postgres"]))


def test_two_desks_run_side_by_side_and_one_ends_without_the_other(begin):
    first, second = begin("first"), begin("second")
    one, other = first.wait_until_up(), second.wait_until_up()
    assert one["database_url"] != other["database_url"]
    assert one["redis_url"] != other["redis_url"]
    assert first.stop() == 0
    assert marked(first.folder) == []
    assert answers(f"{other['web']}/healthz")
    assert second.desk() == other


def test_servers_and_vendors_of_the_operators_own_are_used_and_not_stopped(begin):
    with servers_for_tests(StopRequest()) as servers:
        up = begin(
            "own", "--live", "--no-beat", "--workers", "2", DATABASE_URL=servers["DATABASE_URL"], REDIS_URL=servers["REDIS_URL"]
        )
        desk = up.wait_until_up()
        assert (desk["database_url"], desk["redis_url"]) == (servers["DATABASE_URL"], servers["REDIS_URL"])
        assert (desk["world"], desk["pids"]["world"], desk["pids"]["beat"]) == (None, [], [])
        assert (desk["pids"]["postgres"], desk["pids"]["valkey"]) == (None, None)
        fetch = Path(f"/proc/{desk['pids']['worker_fetch'][0]}/cmdline").read_bytes().split(b"\0")
        assert fetch[fetch.index(b"--concurrency") + 1] == b"4"
        assert up.stop() == 0
        assert not (up.folder / "postgres").exists()
        with psycopg.connect(servers["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT count(*) > 0 FROM django_migrations").fetchone() == (True,)
