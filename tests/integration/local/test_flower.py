"""Flower as bin/up starts it: for whoever has the password, on this machine only, looking and not touching."""

from __future__ import annotations

import base64
import http.client
import os
import subprocess
import time
from pathlib import Path

import pytest

from apps.backups.embedded import free_port
from project.local.flower import USER, Flower
from project.local.folder import DataFolder

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PASSWORD = "correct-horse"
UP_WITHIN_S = 40


def ask(port: int, path: str, *, method: str = "GET", password: str = "") -> int:
    token = base64.b64encode(f"{USER}:{password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Authorization": f"Basic {token}"} if password else {})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Start Flower on the broker of the tests."""
    flower = Flower(free_port(), PASSWORD)
    service = flower.service({**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings"}, ROOT)
    with (tmp_path_factory.mktemp("flower") / "log").open("w+") as log:
        process = subprocess.Popen(
            service.command, env=dict(service.environment), stdout=log, stderr=log, start_new_session=True, **service.launch
        )
        try:
            ends = time.monotonic() + UP_WITHIN_S
            while not service.is_ready() and time.monotonic() < ends and process.poll() is None:
                time.sleep(0.2)
            log.seek(0)
            assert service.is_ready(), log.read()
            yield flower
            process.terminate()
            assert process.wait(timeout=15) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def test_flower_opens_with_its_password_only(running):
    statuses = [ask(running.port, "/workers", password=given) for given in ("", "wrong", PASSWORD)]
    assert statuses == [401, 401, 200]
    assert ask(running.port, "/api/workers") == 401


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
