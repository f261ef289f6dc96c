"""The files in deploy/ say the same as the embedded stack, and they work: units are verified, servers are started."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from apps.backups.embedded import free_port
from apps.resilience.stores import redis_servers
from benchmarks.servers import running
from project.local.processes import CONTAINER_VARIABLES, SOFT_SHUTDOWN_S, WORKERS, beat_command, web_command
from project.local.services import STOP_MARGIN_S
from project.local.valkey import find_server
from tests.integration.resilience.sentinel_world import wait_until

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy"
PYTHON = "/opt/bellwether/.venv/bin/python"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMMANDS = {
    "web": web_command("127.0.0.1:8000"),
    "beat": beat_command(),
    **{worker.name: worker.command() for worker in WORKERS},
}


def _unit(name: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    parser.read(DEPLOY / "systemd" / f"bellwether-{name.replace('_', '-')}.service")
    return parser["Service"]


def _environment(name: str) -> dict[str, str]:
    lines = (DEPLOY / "systemd" / f"bellwether-{name.replace('_', '-')}.service").read_text().splitlines()
    pairs = [line.removeprefix("Environment=") for line in lines if line.startswith("Environment=")]
    return dict(pair.split("=", 1) for pair in pairs)


def test_there_is_a_unit_for_every_process_and_no_other():
    assert {path.stem.removeprefix("bellwether-").replace("-", "_") for path in UNITS} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_unit_runs_the_command_of_the_embedded_stack(name):
    unit = _unit(name)
    words = unit["ExecStart"].replace("%%", "%").split()
    assert words == [PYTHON, "-m", *COMMANDS[name]]
    assert _environment(name)["PROCESS_TYPE"] == name
    assert unit["KillMode"] == "mixed"
    # The web process finds the figures of the others by these names.
    assert _environment(name)["PROMETHEUS_MULTIPROC_DIR"] == f"/run/{unit['RuntimeDirectory']}" == f"/run/bellwether/{name}"


@pytest.mark.parametrize("worker", WORKERS, ids=lambda worker: worker.name)
def test_a_worker_is_given_time_to_put_its_work_down(worker):
    unit = _unit(worker.name)
    assert int(unit["TimeoutStopSec"]) == SOFT_SHUTDOWN_S + STOP_MARGIN_S
    assert {name: _environment(worker.name)[name] for name in CONTAINER_VARIABLES} == CONTAINER_VARIABLES
    assert int(unit.get("Nice", "0")) == worker.niceness


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_no_fault_in_the_units(tmp_path):
    for path in sorted((DEPLOY / "systemd").iterdir()):
        (tmp_path / path.name).write_text(path.read_text().replace(PYTHON, sys.executable))
    words = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    verified = subprocess.run(words, capture_output=True, text=True, check=False)
    assert [line for line in verified.stderr.splitlines() if "bellwether" in line] == []


def test_the_files_for_the_broker_and_its_sentinels_work_as_they_are(tmp_path):
    server, replica, sentinel = free_port(), free_port(), free_port()
    with ExitStack() as ends:
        for port, name, follows in (
            (server, "broker.conf", ""),
            (replica, "broker.conf", "follow"),
            (sentinel, "sentinel.conf", ""),
        ):
            folder = tmp_path / str(port)
            folder.mkdir()
            text = (
                (DEPLOY / "valkey" / name)
                .read_text()
                .replace("/var/lib/valkey", str(folder))
                .replace("10.0.0.11 127.0.0.1", "127.0.0.1")
            )
            text = (
                text.replace("10.0.0.11 6379", f"127.0.0.1 {server}")
                .replace("port 6379", f"port {port}")
                .replace("port 26379", f"port {port}")
            )
            text = text.replace("# replicaof", "replicaof") if follows else text
            (folder / name).write_text(text)
            ends.enter_context(running([str(find_server()), str(folder / name), *(["--sentinel"] if "sentinel" in name else [])]))
        url = f"sentinel://:change-me-server@127.0.0.1:{sentinel}/0?master=bellwether&sentinel_password=change-me-sentinel"
        client = redis_servers.client(url, socket_timeout=1, decode_responses=True)
        ends.callback(client.close)
        wait_until(lambda: client.info("replication")["connected_slaves"] == 1, "the replica follows")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("port") == {"port": str(server)}
