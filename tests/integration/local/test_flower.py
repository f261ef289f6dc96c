"""Flower as bin/up starts it: for whoever has the password, on this machine only, looking and not touching."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apps.backups.embedded import free_port
from project.local.flower import USER, Flower, watched
from project.local.folder import DataFolder
from project.local.processes import Worker

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PASSWORD = "correct-horse"
UP_WITHIN_S = 40


def ask(port: int, path: str, *, method: str = "GET", password: str = "") -> int:
    return answer(port, path, method=method, password=password)[0]


def answer(port: int, path: str, *, method: str = "GET", password: str = "") -> tuple[int, str]:
    token = base64.b64encode(f"{USER}:{password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Authorization": f"Basic {token}"} if password else {})
        found = connection.getresponse()
        return found.status, found.read().decode(errors="replace")
    finally:
        connection.close()


def started(folder: Path, name: str, command: tuple[str, ...], environment) -> subprocess.Popen[bytes]:
    with (folder / name).open("w") as log:
        return subprocess.Popen(
            command, env=dict(environment), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def within(seconds: float, holds) -> bool:
    ends = time.monotonic() + seconds
    while not holds() and time.monotonic() < ends:
        time.sleep(0.2)
    return bool(holds())


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Start Flower, and a worker as the desk starts it then, on the broker of the tests."""
    folder = tmp_path_factory.mktemp("flower")
    flower, environment = Flower(free_port(), PASSWORD), {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings"}
    service = flower.service(environment, ROOT)
    worker = watched(Worker("watched", ("upkeep",)).command())
    processes = [
        started(folder, "worker.log", (sys.executable, "-m", *worker), environment),
        started(folder, "flower.log", service.command, service.environment),
    ]
    try:
        assert within(UP_WITHIN_S, service.is_ready), (folder / "flower.log").read_text()
        yield flower
        processes[1].terminate()
        assert processes[1].wait(timeout=15) == 0
    finally:
        for process in processes:
            process.terminate()
            process.wait(timeout=40)


def test_flower_opens_with_its_password_only(running):
    statuses = [ask(running.port, "/workers", password=given) for given in ("", "wrong", PASSWORD)]
    assert statuses == [401, 401, 200]
    assert ask(running.port, "/api/workers") == 401


def test_flower_sees_the_workers_and_the_queues(running):
    def workers() -> list[str]:
        rows = json.loads(answer(running.port, "/workers?json=1", password=PASSWORD)[1])["data"]
        return [row["hostname"] for row in rows if row["status"]]

    assert within(UP_WITHIN_S, workers)
    assert [name.split("@")[0] for name in workers()] == ["watched"]
    assert ask(running.port, "/broker", password=PASSWORD) == 200


def test_flower_looks_and_does_not_touch(running):
    assert ask(running.port, "/api/worker/shutdown/x", method="POST", password=PASSWORD) == 403


def test_flower_listens_on_this_machine_only(running):
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = {fields[1] for fields in listening if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == running.port}
    assert places == {f"0100007F:{running.port:04X}"}


def test_the_password_is_kept_with_the_secrets_and_on_no_command_line(tmp_path):
    (tmp_path / "secrets.json").write_text('{"secret_key": "a", "ops_token": "b"}')  # of a desk from before Flower
    first, second = (DataFolder(tmp_path).secrets() for _ in range(2))
    assert first == second
    assert (first["secret_key"], first["ops_token"]) == ("a", "b")
    flower = Flower(5555, first["flower_password"])
    assert len(flower.password) >= 20
    assert not [word for word in flower.command() if flower.password in word]
    assert flower.password in flower.address
