"""The world as a process: started, stopped, killed, started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULE = [sys.executable, "-m", "apps.sources.world"]
COMMAND = [sys.executable, "manage.py", "recorded_world"]


class Play:
    """Starts worlds in one folder and stops what it started."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "world.json"
        self.ready = folder / "ready.json"
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *options: str, program: list[str] = MODULE) -> subprocess.Popen[str]:
        """Start a world and wait until it listens."""
        files = ["--state", str(self.state), "--ready-file", str(self.ready)]
        process = run([*program, "--port", "0", *files, *options])
        self.processes.append(process)
        deadline = time.monotonic() + 30
        while not self.ready.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the world does not listen"
            time.sleep(0.02)
        return process

    def status(self) -> dict[str, Any]:
        """Ask the world that the ready file names."""
        with urlopen(json.loads(self.ready.read_text())["url"] + "/_world/status", timeout=5) as answer:
            told: dict[str, Any] = json.load(answer)
            return told


def run(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    stage = Play(tmp_path)
    yield stage
    for process in stage.processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("program", [MODULE, COMMAND], ids=["module", "command"])
def test_it_listens_says_where_and_stops_cleanly(play, program):
    process = play.start("--speed", "120", program=program)
    ready = json.loads(play.ready.read_text())
    assert ready["pid"] == process.pid
    assert play.status()["speed"] == 120
    began_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=5)
    assert time.monotonic() - began_s < 20.0  # the keep-alive connection alone would hold it for a minute
    assert process.returncode == 0, errors
    assert ready["url"] in output
    assert not play.ready.exists()


def test_after_kill_9_nothing_shifts(play):
    process = play.start()
    before = play.status()
    process.kill()
    process.wait()
    play.ready.unlink()
    play.start()
    assert play.status()["anchor_real_at"] == before["anchor_real_at"]


def test_after_a_long_stop_it_continues_where_it_stood(play):
    process = play.start("--speed", "60")
    process.send_signal(signal.SIGTERM)
    process.wait()
    saved = json.loads(play.state.read_text())
    assert set(saved) == {"anchor_real", "position", "speed", "saved_real"}
    pretend_it_was_an_hour_ago(play.state, saved)
    play.start("--speed", "60")
    continued = json.loads(play.state.read_text())
    gone_ms = continued["position"] - saved["position"]
    assert 0 <= gone_ms < 30_000 * 60, "seconds of playing, not the hour of the pause"
    assert continued["anchor_real"] == pytest.approx(saved["anchor_real"], abs=30)


def pretend_it_was_an_hour_ago(path: Path, saved: dict) -> None:
    earlier = {"anchor_real": saved["anchor_real"] - 3_600, "saved_real": saved["saved_real"] - 3_600}
    path.write_text(json.dumps(saved | earlier))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--speed", "0"], "--speed 0 is not a speed"),
        (["--speed", "fast"], "invalid float value: 'fast'"),
        (["--speed", "nan"], "is not a speed"),
        (["--port", "70000"], "--port 70000 is not a port"),
        (["--speed", "700"], "bars must be 1 s apart"),
        (["--backwards"], "unrecognized arguments: --backwards"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_wrong_option_is_one_plain_line_and_2(options, reason):
    refused(run([*MODULE, *options]), reason)


def test_the_command_refuses_a_wrong_option_too():
    refused(run([*COMMAND, "--speed", "0"]), "--speed 0 is not a speed")


def test_a_port_in_use_is_one_plain_line_and_2():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(run([*MODULE, "--port", str(port)]), f"cannot listen on 127.0.0.1:{port}: Address already in use")


def test_a_foreign_state_file_is_refused_and_left_alone(tmp_path):
    state = tmp_path / "world.json"
    state.write_text('{"anchor_real": "yesterday"}')
    refused(run([*MODULE, "--state", str(state)]), "is not a state file of the recorded world")
    assert state.read_text() == '{"anchor_real": "yesterday"}'


def test_an_unwritable_state_folder_is_one_plain_line_and_2(tmp_path):
    refused(run([*MODULE, "--state", str(tmp_path / "missing" / "world.json")]), "No such file or directory")


@pytest.mark.parametrize("program", [MODULE, COMMAND], ids=["module", "command"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"vendor": "gamma", "kind": "fire"}]', "fault 1: kind is not one of status, reset, drip"),
        ("[{", "the body is not JSON (JSONDecodeError)"),
        (None, "No such file or directory"),
    ],
    ids=["kind", "json", "missing"],
)
def test_a_wrong_fault_file_is_one_plain_line_and_2(tmp_path, program, text, reason):
    faults = tmp_path / "faults.json"
    if text is not None:
        faults.write_text(text)
    refused(run([*program, "--faults", str(faults)]), reason)


def test_faults_of_a_file_strike_from_the_start_and_are_counted(play, tmp_path):
    faults = tmp_path / "faults.json"
    faults.write_text('[{"vendor": "yahoo", "kind": "status", "params": {"status": 429, "retry_after": "2"}}]')
    play.start("--faults", str(faults))
    url = json.loads(play.ready.read_text())["url"]
    with pytest.raises(HTTPError) as caught:
        urlopen(url + "/yahoo/v8/finance/chart/^VIX", timeout=5)
    with caught.value as refusal:
        assert (refusal.code, refusal.headers["Retry-After"]) == (429, "2")
    assert play.status()["faults"] == {"status": 1}
    with urlopen(url + "/_world/faults", timeout=5) as answer:
        assert json.load(answer)["faults"][0]["struck"] == 1


def refused(process: subprocess.Popen[str], reason: str) -> None:
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 2, (output, errors)
    assert reason in errors
    assert len(errors.splitlines()) == 1, errors
    assert os.linesep not in errors.strip()
