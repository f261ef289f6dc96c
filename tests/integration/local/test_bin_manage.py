"""bin/manage: manage.py on the desk of bin/up, or one line that says why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from project.local.folder import MARK, DataFolder
from project.local.manage import variables_of
from project.local.preflight import CannotStart

ROOT = Path(__file__).resolve().parent.parent.parent.parent
OURS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "OPS_TOKEN", "ENVIRONMENT", "SCHEDULE_SPEED", "BACKUP_DIR", "PG_BIN_DIR")
PEEK = (
    "from django.conf import settings; import os; print(settings.SECRET_KEY, settings.DATABASE_URL, os.environ['PROCESS_TYPE'])"
)


def bin_manage(*words, cwd=ROOT, **variables):
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return subprocess.run(
        [sys.executable, "-P", str(ROOT / "bin" / "begin.py"), "project.local.manage", *words],
        cwd=cwd,
        env=kept | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def refused_in_one_line(done):
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line.removeprefix("bin/manage: ")


@pytest.fixture
def stopped(tmp_path):
    """The folder of a desk that ran once."""
    folder = DataFolder(tmp_path)
    folder.secrets()
    return folder


@pytest.fixture
def running(stopped):
    """The folder of a desk that runs on the servers of this test run."""
    servers = {"database_url": os.environ["DATABASE_URL"], "redis_url": os.environ["REDIS_URL"]}
    stopped.desk_file.write_text(json.dumps({**servers, "world": None}))
    lock = stopped.lock()
    yield stopped
    os.close(lock)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "a command of manage.py is needed, such as: bin/manage doctor"),
        (("--data", "", "doctor"), "argument --data: a folder is needed, not an empty name"),
        (("--dat", "x", "doctor"), "unrecognized arguments: --dat"),
    ],
)
def test_a_wrong_command_line_is_one_line(words, reason):
    assert reason in refused_in_one_line(bin_manage(*words))


def test_where_no_desk_was_there_is_none_and_nothing_is_made(tmp_path):
    line = refused_in_one_line(bin_manage("--data", str(tmp_path / "none"), "doctor"))
    assert line == f"there is no desk in {tmp_path / 'none'}: start bin/up, or name its folder with --data"
    assert list(tmp_path.iterdir()) == []


def test_a_desk_that_does_not_run_has_no_servers(stopped):
    line = refused_in_one_line(bin_manage("--data", str(stopped.path), "doctor"))
    assert line == f"the desk in {stopped.path} does not run, so its servers do not either: start bin/up"


def test_what_a_killed_desk_left_is_not_taken_for_a_running_one(stopped):
    ended = subprocess.Popen(["true"])
    ended.wait()
    (stopped.path / "lock").write_text(str(ended.pid))
    stopped.desk_file.write_text(json.dumps({"database_url": "postgres://d", "redis_url": "redis://r", "world": None}))
    with pytest.raises(CannotStart, match="does not run"):
        _without_given_servers(stopped)


def _without_given_servers(folder):
    with pytest.MonkeyPatch.context() as patch:
        for name in OURS:
            patch.delenv(name, raising=False)
        return variables_of(folder)


def test_a_command_runs_with_the_address_and_the_secret_of_the_running_desk(running):
    other = {"DATABASE_URL": "postgres://elsewhere@127.0.0.1:1/other", "DATABASE_URL_FILE": "/no/such/file"}
    done = bin_manage("--data", str(running.path), "shell", "--no-imports", "-c", PEEK, **other)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [running.secrets()["secret_key"], os.environ["DATABASE_URL"], "command"]


def test_a_folder_named_from_where_the_operator_stands_and_the_commands_own_exit_code(running):
    done = bin_manage("--data", running.path.name, "no_such_command", cwd=running.path.parent)
    assert done.returncode == 1
    assert "Unknown command: 'no_such_command'" in done.stderr
    assert not [secret for secret in running.secrets().values() if secret in done.stdout + done.stderr]


def test_the_variables_are_the_desks_without_its_mark(running):
    variables = _without_given_servers(running)
    assert variables["SECRET_KEY"] == running.secrets()["secret_key"]
    assert variables["BACKUP_DIR"] == str(running.path / "backups")
    assert variables["SCHEDULE_SPEED"] == "1"
    assert MARK not in variables


def test_a_stopped_desk_on_given_servers_lends_its_secrets(stopped, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://desk@db.example/desk")
    monkeypatch.setenv("REDIS_URL", "redis://redis.example/0")
    monkeypatch.delenv("SECRET_KEY", raising=False)
    variables = variables_of(stopped)
    assert variables["DATABASE_URL"] == "postgres://desk@db.example/desk"
    assert variables["SECRET_KEY"] == stopped.secrets()["secret_key"]
