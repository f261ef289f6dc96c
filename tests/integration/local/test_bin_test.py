"""bin/test's servers: pytest's exit code is passed on, and nothing stays, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from project.local.folder import is_alive

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SUITE = """
import os, pathlib, psycopg, redis, time

HERE = pathlib.Path(__file__).parent

def test_servers_are_there():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection, redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        pids = [connection.info.backend_pid, client.info()["process_id"]]
        assert client.ping()
    (HERE / "pids.new").write_text(" ".join(map(str, pids)))
    (HERE / "pids.new").rename(HERE / "pids")

def test_something():
    %s
"""


class BinTest:
    """bin/test on a suite of two tests."""

    def __init__(self, folder, body):
        self.pids_file = folder / "pids"
        self.servers = folder / "servers"
        self.servers.mkdir(mode=0o711)
        (folder / "test_it.py").write_text(SUITE % body)
        (folder / "pytest.ini").write_text("[pytest]\n")
        words = ["-n", "0", "-q", "-p", "no:django", "-p", "no:cacheprovider", "-c", str(folder / "pytest.ini"), str(folder)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "project.local.testing", *words],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(self.servers)},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def started(self):
        assert eventually(self.pids_file.exists)
        return int(self.pids_file.read_text().split()[1])


def eventually(holds, within_s=30.0):
    deadline = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


@pytest.mark.parametrize(("body", "code"), [("assert True", 0), ("assert False", 1)])
def test_the_exit_code_is_pytests_and_the_servers_are_gone(tmp_path, body, code):
    run = BinTest(tmp_path, body)
    assert run.process.wait(timeout=60) == code
    assert not is_alive(run.started())
    assert list(run.servers.iterdir()) == []


def test_no_test_at_all_is_pytests_own_code():
    words = ["-n", "0", "-q", "-k", "no_such_test", "tests/unit/local/test_screen.py"]
    done = subprocess.run([sys.executable, "-m", "project.local.testing", *words], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 5


def test_sigterm_ends_tests_and_servers(tmp_path):
    run = BinTest(tmp_path, "time.sleep(300)")
    valkey = run.started()
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(timeout=30) == 130
    assert not is_alive(valkey)
    assert list(run.servers.iterdir()) == []


@pytest.mark.chaos
def test_after_sigkill_the_servers_end_all_the_same(tmp_path):
    run = BinTest(tmp_path, "time.sleep(5)")
    valkey = run.started()
    run.process.kill()
    run.process.wait()
    assert eventually(lambda: not is_alive(valkey))
