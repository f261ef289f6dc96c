"""The process table and the variables of each process."""

from __future__ import annotations

from pathlib import Path

import pytest

from project.local.environment import desk_environment, service_environment, single_environment, wipe_metrics
from project.local.folder import DataFolder
from project.local.options import read_options
from project.local.processes import WORKERS, web_command, world_command


def test_workers_greet_nobody():
    for worker in WORKERS:
        assert {"--without-gossip", "--without-mingle", "--without-heartbeat"} <= set(worker.command())


def test_the_concurrency_of_a_worker_can_be_raised():
    fetch = WORKERS[0]
    assert fetch.command()[fetch.command().index("--concurrency") + 1] == "2"
    assert fetch.command(6)[fetch.command(6).index("--concurrency") + 1] == "6"


def test_web_opens_no_control_socket():
    assert "--no-control-socket" in web_command("127.0.0.1:1")


def test_the_world_is_told_its_port_speed_and_files():
    command = world_command(7, 120.0, "/s", "/r")
    assert command == ("apps.sources.world", "--port", "7", "--speed", "120", "--wait", "--state", "/s", "--ready-file", "/r")


@pytest.fixture
def folder(tmp_path):
    return DataFolder(tmp_path)


def environment(folder, *words, world_port=7):
    options = read_options(words, root=Path("/checkout"))
    return desk_environment(options, folder, database_url="postgres://d", redis_url="redis://r", world_port=world_port)


def test_the_recorded_world_stands_in_for_the_vendors_at_its_own_speed(folder):
    variables = environment(folder, "--speed", "120")
    assert variables["SCHEDULE_SPEED"] == "120"
    assert variables["POLYMARKET_GAMMA_BASE_URL"] == "http://127.0.0.1:7/gamma"
    assert variables["POLYMARKET_CLOB_BASE_URL"] == "http://127.0.0.1:7/clob"
    assert variables["YAHOO_BASE_URL"] == "http://127.0.0.1:7/yahoo"
    rates = [variables[f"{name}_RATE_PER_MINUTE"] for name in ("POLYMARKET_GAMMA", "POLYMARKET_CLOB", "YAHOO")]
    assert rates == ["300", "600", "600"]


def test_live_leaves_the_vendors_alone(folder):
    variables = environment(folder, "--live", world_port=None)
    assert variables["SCHEDULE_SPEED"] == "1"
    assert "YAHOO_BASE_URL" not in variables


def test_secrets_are_made_once_and_kept(folder):
    first, second = environment(folder), environment(folder)
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert len(first["SECRET_KEY"]) >= 50
    assert (folder.path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_the_operators_own_secret_is_used(folder, monkeypatch, tmp_path):
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("ALLOWED_HOSTS", "desk.example")
    variables = environment(folder)
    assert variables["SECRET_KEY"] == "from a file"
    assert variables["ALLOWED_HOSTS"] == "desk.example,127.0.0.1,localhost"


def test_a_process_is_told_what_it_is_and_keeps_its_metrics_apart(folder):
    shared = environment(folder)
    web, money = (service_environment(shared, folder, name) for name in ("web", "worker_money"))
    assert (web["PROCESS_TYPE"], money["PROCESS_TYPE"]) == ("web", "worker_money")
    assert web["PROMETHEUS_MULTIPROC_DIR"] != money["PROMETHEUS_MULTIPROC_DIR"]


def test_a_command_keeps_no_metrics(folder, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder.path / "nowhere"))
    command = single_environment(environment(folder), "command")
    assert command["PROCESS_TYPE"] == "command"
    assert "PROMETHEUS_MULTIPROC_DIR" not in command


def test_metrics_of_an_earlier_process_are_gone_at_the_next_start(folder):
    wipe_metrics(folder, "web")()
    left_over = folder.path / "metrics" / "web" / "counter_1.db"
    left_over.write_text("old")
    wipe_metrics(folder, "web")()
    assert list(left_over.parent.iterdir()) == []
