"""Bad beginnings: each is one plain line and exit 2, and nothing is started."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from project.local.preflight import CannotStart, check_folder, check_port, check_python

ROOT = Path(__file__).resolve().parent.parent.parent.parent
Usage = namedtuple("Usage", "total used free")
Version = namedtuple("Version", "major minor")


def bin_up(*words, **variables):
    return subprocess.run(
        [sys.executable, "-m", "project.local.up", *words],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def refused_in_one_line(done):
    assert done.returncode == 2, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("bin/up: ")
    return line


def test_a_taken_port(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = refused_in_one_line(bin_up("--port", str(port), "--data", str(tmp_path / "d")))
    assert line == f"bin/up: port {port} is taken: choose another with --port"
    assert not (tmp_path / "d").exists()


def test_a_bad_option(tmp_path):
    assert "--speed" in refused_in_one_line(bin_up("--speed", "warp", "--data", str(tmp_path / "d")))
    assert not (tmp_path / "d").exists()


def test_a_data_folder_that_is_a_file(tmp_path):
    (tmp_path / "d").write_text("occupied")
    line = refused_in_one_line(bin_up("--port", "0", "--data", str(tmp_path / "d")))
    assert "cannot be written" in line
    assert (tmp_path / "d").read_text() == "occupied"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    assert "cannot be written: Permission denied" in refused_in_one_line(bin_up("--port", "0", "--data", str(tmp_path / "d")))
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root finds a file system that root may not write either")
def test_a_data_folder_on_a_file_system_that_takes_no_files():
    assert "cannot be written" in refused_in_one_line(bin_up("--port", "0", "--data", "/proc/desk"))


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 2**20, 2**20))
    with pytest.raises(CannotStart, match=r"is full: 1 MiB free, 300 MiB needed"):
        check_folder(tmp_path)


def test_a_disk_that_fills_while_writing_is_named(tmp_path, monkeypatch):
    def no_space(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(CannotStart, match="is full"):
        check_folder(tmp_path)


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(sys, "version_info", Version(3, 10))
    with pytest.raises(CannotStart, match=r"Python 3\.10 is too old"):
        check_python()


def test_folders_that_we_make_can_be_walked_through_and_others_stay_as_they_are(tmp_path):
    before = tmp_path.stat().st_mode
    check_folder(tmp_path / "a" / "b")
    assert [(tmp_path / part).stat().st_mode & 0o777 for part in ("a", "a/b")] == [0o711, 0o711]
    assert tmp_path.stat().st_mode == before
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_free_port_is_accepted_also_just_after_it_was_used():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    check_port(port)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every port")
def test_a_port_of_the_system_is_refused():
    with pytest.raises(CannotStart):
        check_port(1)
