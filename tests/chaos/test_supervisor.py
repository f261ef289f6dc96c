"""Processes are killed: the supervisor's children, its guardian, itself. Nothing may stay behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from project.local.folder import MARK, is_alive

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(__file__).with_name("small_desk.py")
pytestmark = pytest.mark.chaos


class SmallDesk:
    """The program under test with its output."""

    def __init__(self, folder, *words):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        self.said = []

    def hears(self, part):
        """Read lines until one contains `part`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.strip())
            if part in line:
                return line.strip()
        raise AssertionError(f"{part!r} was not said: {self.said} (exit {self.process.poll()})")

    def pids(self):
        return json.loads((self.folder / "desk.json").read_text())

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)


@pytest.fixture
def start(tmp_path):
    desks = []

    def begin(name="desk", *words):
        desks.append(SmallDesk(tmp_path / name, *words))
        return desks[-1]

    yield begin
    for desk in desks:
        desk.stop()
    for desk in desks:
        assert eventually(lambda desk=desk: marked(desk.folder) == []), "a test left processes behind"


def marked(folder):
    """Return the processes that carry the mark of this folder and run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(f"{MARK}={folder}") in variables and is_alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def eventually(holds, within_s=10.0):
    deadline = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_a_killed_child_is_started_again_and_the_operator_is_told(start):
    desk = start()
    desk.hears("up")
    first = desk.pids()["web"]
    os.kill(first, signal.SIGKILL)
    assert desk.hears("web (pid") == f"web (pid {first}) was killed by signal 9; starting it again in 0.5 s"
    second = int(desk.hears("web runs again").rpartition(" ")[2].rstrip(")"))
    assert second != first
    assert desk.pids()["web"] == second


def test_what_a_killed_master_leaves_behind_is_ended_before_it_starts_again(start):
    desk = start()
    desk.hears("up")
    orphan = int((desk.folder / "child").read_text())
    os.kill(desk.pids()["web"], signal.SIGKILL)
    desk.hears("web runs again")
    assert not is_alive(orphan)


def test_each_death_in_a_row_is_answered_after_a_longer_pause(start):
    desk = start()
    desk.hears("up")
    pauses = []
    for _ in range(3):
        os.kill(desk.pids()["web"], signal.SIGKILL)
        pauses.append(desk.hears("web (pid").rpartition("again in ")[2])
        desk.hears("web runs again")
    assert pauses == ["0.5 s", "1 s", "2 s"]


def test_sigterm_ends_everything_also_who_ignores_it(start):
    desk = start("desk", "stubborn")
    desk.hears("up")
    beat = desk.pids()["beat"]
    desk.process.send_signal(signal.SIGTERM)
    desk.hears("down")
    assert desk.process.wait(timeout=10) == 0
    assert f"beat (pid {beat}) did not stop in time and was killed" in desk.said
    assert marked(desk.folder) == []
    assert not (desk.folder / "desk.json").exists()


def test_a_second_signal_does_not_wait_for_the_stubborn(start):
    desk = start("desk", "stubborn", "patient")
    desk.hears("up")
    started = time.monotonic()
    desk.process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    desk.process.send_signal(signal.SIGINT)
    desk.hears("down")
    assert time.monotonic() - started < 25  # one signal alone is waited out for a minute


def test_a_killed_supervisor_leaves_no_process_behind(start):
    desk = start("desk", "stubborn")
    desk.hears("up")
    guardian = desk.pids()["guardian"]
    desk.process.kill()
    desk.process.wait()
    assert eventually(lambda: marked(desk.folder) == [] and not is_alive(guardian))
    assert not (desk.folder / "desk.json").exists()


def test_a_killed_guardian_is_replaced_and_its_replacement_knows_everything(start):
    desk = start()
    desk.hears("up")
    first = desk.pids()["guardian"]
    os.kill(first, signal.SIGKILL)
    os.kill(desk.pids()["web"], signal.SIGKILL)
    desk.hears("web runs again")
    second = desk.pids()["guardian"]
    assert second != first
    desk.process.kill()
    desk.process.wait()
    assert eventually(lambda: marked(desk.folder) == [] and not is_alive(second))


def test_a_start_after_supervisor_and_guardian_were_killed_cleans_up_and_continues(start):
    desk = start()
    desk.hears("up")
    left = desk.pids()
    desk.process.kill()
    os.kill(left["guardian"], signal.SIGKILL)
    desk.process.wait()
    assert is_alive(left["web"])
    again = start()
    again.hears("up")
    assert not is_alive(left["web"])
    assert not is_alive(left["beat"])
    assert set(again.pids()) == {"web", "beat", "guardian"}


def test_a_start_right_after_a_kill_waits_for_the_guardian(start):
    desk = start()
    desk.hears("up")
    desk.process.kill()
    desk.process.wait()
    again = start()
    again.hears("up")
    assert eventually(lambda: len(marked(desk.folder)) == 3)  # web, its child, beat


def test_a_second_desk_in_the_same_folder_is_refused_in_one_line_and_the_first_goes_on(start):
    desk = start()
    desk.hears("up")
    before = desk.pids()
    second = start()
    _, complaint = second.process.communicate(timeout=10)
    assert second.process.returncode == 2
    assert complaint.splitlines() == [
        f"another bin/up (pid {desk.process.pid}) runs in {desk.folder}: stop it or choose another folder with --data"
    ]
    assert desk.pids() == before
    assert all(is_alive(pid) for pid in before.values())


def test_two_desks_in_two_folders_do_not_touch_each_other(start):
    first, second = start("first"), start("second")
    first.hears("up")
    second.hears("up")
    kept = second.pids()
    first.process.kill()
    first.process.wait()
    assert eventually(lambda: marked(first.folder) == [])
    assert second.pids() == kept
    assert all(is_alive(pid) for pid in kept.values())
