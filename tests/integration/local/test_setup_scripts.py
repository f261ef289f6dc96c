"""The shell of bin/: POSIX, one plain line when a machine is not fit, nothing installed twice."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PROGRAMS = ("up", "manage", "test", "check", "lock")
STEP = "set -eu; program=bin/up; root=$(pwd); . bin/setup.sh; need_environment desk dev; echo ready"


@pytest.fixture
def checkout(tmp_path):
    """A checkout with nothing installed, whose requirements are empty, so that installing is quick."""
    shutil.copytree(ROOT / "bin", tmp_path / "bin")
    (tmp_path / "requirements").mkdir()
    for name in ("base", "desk", "dev"):
        (tmp_path / "requirements" / f"{name}.txt").write_text("# nothing\n")
    return tmp_path


def path_with(folder, script):
    """Return a PATH on which every Python is `script`, next to the ordinary tools."""
    folder.mkdir()
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def run(checkout, script=STEP, path=None):
    python = Path(sys.base_prefix) / "bin"
    variables = os.environ | {"PATH": path or f"{python}:/usr/bin:/bin"}
    return subprocess.run(["sh", "-c", script], cwd=checkout, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", [*PROGRAMS, "setup.sh"])
def test_the_shell_parses_and_uses_nothing_that_only_bash_knows(name):
    done = subprocess.run(["sh", "-n", str(ROOT / "bin" / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = (ROOT / "bin" / name).read_text()
    assert not [word for word in ("[[", "function ", "local ", "<<<", "source ") if word in text]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_programs_can_be_run(name):
    assert (ROOT / "bin" / name).stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_old_python_is_one_line_and_exit_2(checkout, tmp_path, name):
    done = run(checkout, f"bin/{name}", path_with(tmp_path / "old", "exit 1"))
    assert done.returncode == 2
    assert done.stderr == f"bin/{name}: Python 3.11 or newer with venv is needed and was not found on PATH\n"


def test_a_fresh_checkout_gets_an_environment_and_the_next_start_installs_nothing(checkout):
    first = run(checkout)
    assert (first.returncode, first.stdout) == (0, "ready\n"), first.stderr
    assert "installing requirements/desk.txt" in first.stderr
    assert run(checkout).stderr == ""
    assert sorted(path.name for path in checkout.iterdir()) == [".venv", "bin", "requirements"]


def test_changed_requirements_are_installed_again(checkout):
    run(checkout)
    (checkout / "requirements" / "desk.txt").write_text("# nothing yet\n")
    assert "installing requirements/desk.txt" in run(checkout).stderr
    assert run(checkout).stderr == ""


def test_an_environment_for_tests_is_good_for_running_too(checkout):
    run(checkout, STEP.replace("desk dev", "dev"))
    assert run(checkout).stderr == ""


def test_an_environment_whose_python_is_gone_is_made_again(checkout):
    run(checkout)
    (checkout / ".venv" / "bin" / "python").unlink()
    done = run(checkout)
    assert (done.returncode, done.stdout) == (0, "ready\n"), done.stderr


def test_two_starts_at_once_install_once(checkout):
    both = f"({STEP}) & ({STEP}) & wait"
    done = run(checkout, both)
    assert done.stdout == "ready\nready\n", done.stderr
    assert not (checkout / ".venv" / "installing").exists()
    assert (checkout / ".venv" / "installed-desk").exists()


def test_the_lock_of_a_dead_installer_is_taken_over(checkout):
    (checkout / ".venv" / "installing").mkdir(parents=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    (checkout / ".venv" / "installing" / "owner").write_text(f"{ended.pid}\n")
    assert run(checkout).stdout == "ready\n"


def test_a_failing_installation_is_one_line_and_is_tried_again(checkout):
    (checkout / "requirements" / "desk.txt").write_text("no-hash-here\n")
    done = run(checkout)
    assert done.returncode == 2
    assert "installing requirements/desk.txt failed (see .venv/install.log)" in done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) == 2  # the announcement and the complaint
    (checkout / "requirements" / "desk.txt").write_text("# nothing\n")
    assert run(checkout).stdout == "ready\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_checkout_is_one_line(checkout):
    checkout.chmod(0o500)
    done = run(checkout)
    checkout.chmod(0o700)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_the_compiled_requirements_agree_and_name_no_place():
    pins = {}
    for name in ("base", "desk", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert not [line for line in text.splitlines() if line.startswith("--") or "://" in line]
        entries = [line.split(" ")[0] for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))]
        pins[name] = set(entries)
        assert text.count("--hash=sha256:") >= len(entries) > 50
    assert pins["base"] < pins["desk"] < pins["dev"]
