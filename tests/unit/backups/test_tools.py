"""Running PostgreSQL's programs."""

import os
from functools import partial
from pathlib import Path

import pytest

from apps.backups import tools
from apps.backups.errors import DumpFailed


def program(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_program_gets_the_address_and_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("PGOPTIONS", "-c something=1")
    monkeypatch.setenv("SECRET_KEY", "hush")
    given = {
        "host": "h",
        "port": 5,
        "user": "u",
        "password": "p",
        "dbname": "d",
        "sslmode": "require",
        "cursor_factory": object(),
    }
    assert tools.environment_of(given) == {
        "PGHOST": "h",
        "PGPORT": "5",
        "PGUSER": "u",
        "PGPASSWORD": "p",
        "PGDATABASE": "d",
        "PGSSLMODE": "require",
        "PGAPPNAME": "bellwether-backup",
        "LC_ALL": "C",
        "PATH": os.defpath,
    }


def dump(target, parameters=None):
    """Dump what nobody listens to."""
    tools.dump(parameters or {}, "00-1", target, on_start=list[str]().clear, on_table=list[str]().append)


def test_the_password_is_in_the_environment_and_on_no_command_line(monkeypatch, tmp_path):
    program(tmp_path, "pg_dump", 'echo "$@" > "$0.args"; echo "$PGPASSWORD" > "$0.password"')
    monkeypatch.setenv("PG_BIN_DIR", str(tmp_path))
    with (tmp_path / "out").open("wb") as target:
        dump(target, {"host": "h", "user": "u", "password": "hush-hush", "dbname": "d"})
    args = (tmp_path / "pg_dump.args").read_text()
    assert "--snapshot=00-1" in args
    assert "hush-hush" not in args
    assert (tmp_path / "pg_dump.password").read_text() == "hush-hush\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "echo noise >&2; echo 'pg_dump: error: it broke' >&2; echo 'pg_dump: hint: no' >&2; exit 1",
            "pg_dump: pg_dump: error: it broke",
        ),
        ("echo strange >&2; exit 3", "pg_dump: strange"),
        (
            """echo 'pg_dump: dumping contents of table "public.error"' >&2; echo 'pg_dump: error: no room' >&2; exit 1""",
            "pg_dump: pg_dump: error: no room",
        ),
        ("echo 'pg_dump: reading schemas' >&2; exit 4", "pg_dump: ended with 4 and said nothing"),
        ("exit 7", "pg_dump: ended with 7 and said nothing"),
        ("kill -9 $$", "pg_dump: ended with -9 and said nothing"),
    ],
)
def test_a_failure_says_the_telling_line(monkeypatch, tmp_path, script, said):
    program(tmp_path, "pg_dump", script)
    monkeypatch.setenv("PG_BIN_DIR", str(tmp_path))
    with (tmp_path / "out").open("wb") as target, pytest.raises(DumpFailed) as failed:
        dump(target)
    assert str(failed.value) == said


def test_a_program_that_hangs_is_ended(monkeypatch, tmp_path):
    program(tmp_path, "pg_dump", "exec sleep 30")
    monkeypatch.setenv("PG_BIN_DIR", str(tmp_path))
    monkeypatch.setattr(tools, "TOOL_TIMEOUT_S", 0.2)
    with (tmp_path / "out").open("wb") as target, pytest.raises(DumpFailed, match=r"more than 0\.2 seconds"):
        dump(target)


def test_every_table_is_told_when_it_is_its_turn(monkeypatch, tmp_path):
    lines = [
        "pg_dump: reading schemas",
        'pg_dump: dumping contents of table "public.a"',
        'pg_dump: dumping contents of table "b.c"',
    ]
    program(tmp_path, "pg_dump", "\n".join(f"echo '{line}' >&2" for line in lines))
    monkeypatch.setenv("PG_BIN_DIR", str(tmp_path))
    told: list[str] = []
    with (tmp_path / "out").open("wb") as target:
        tools.dump({}, "00-1", target, on_start=partial(told.append, "has begun"), on_table=told.append)
    assert told == ["has begun", "a", "b.c"]


def test_a_program_does_not_outlive_an_error_of_ours(monkeypatch, tmp_path):
    program(
        tmp_path, "pg_dump", """echo $$ > "$0.pid"; echo 'pg_dump: dumping contents of table "public.a"' >&2; exec sleep 30"""
    )
    monkeypatch.setenv("PG_BIN_DIR", str(tmp_path))

    def refuse(_name):
        raise KeyError

    with (tmp_path / "out").open("wb") as target, pytest.raises(KeyError):
        tools.dump({}, "00-1", target, on_start=list[str]().clear, on_table=refuse)
    pid = (tmp_path / "pg_dump.pid").read_text().strip()
    assert not Path("/proc", pid).exists()
