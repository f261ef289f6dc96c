"""desk.json and other private files."""

from __future__ import annotations

import json
import stat

import pytest

from project.local.deskfile import DeskDescription, write_desk_file
from project.local.privately import write_privately

DESCRIPTION = DeskDescription(
    web="http://127.0.0.1:8000",
    world="http://127.0.0.1:8001",
    database_url="postgres://d",
    redis_url="redis://r",
    tenant="demo",
    staff_user="staff",
    ops_token="token",
)
PIDS = {"postgres": 1, "valkey": 2, "world": 3, "web": 4, "worker_fetch": 5, "worker_forecast": 6, "worker_money": 7}


def test_the_file_has_exactly_the_published_keys(tmp_path):
    write_desk_file(tmp_path / "desk.json", DESCRIPTION, PIDS)
    document = json.loads((tmp_path / "desk.json").read_text())
    assert set(document) == {"web", "world", "database_url", "redis_url", "tenant", "staff_user", "ops_token", "pids"}
    assert document["pids"] == {
        "web": [4],
        "worker_fetch": [5],
        "worker_forecast": [6],
        "worker_money": [7],
        "worker_backup": [],
        "worker_upkeep": [],
        "beat": [],
        "world": [3],
        "postgres": 1,
        "valkey": 2,
    }


def test_servers_that_are_not_ours_have_no_process_id():
    document = DESCRIPTION.as_document({"web": 4})
    assert (document["pids"]["postgres"], document["pids"]["valkey"]) == (None, None)


def test_only_the_owner_can_read_it(tmp_path):
    write_desk_file(tmp_path / "desk.json", DESCRIPTION, PIDS)
    assert stat.S_IMODE((tmp_path / "desk.json").stat().st_mode) == 0o600


def test_a_private_file_is_replaced_whole_and_stays_private(tmp_path):
    file = tmp_path / "secret"
    file.write_text("an older, much longer text")
    file.chmod(0o644)
    write_privately(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_private_file_in_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_privately(tmp_path / "missing" / "secret", "x")
