"""Where an embedded PostgreSQL may live and as whom it runs. Standard library only.

PostgreSQL refuses to run as root. As root, only its own processes run as an unprivileged identity, the data folder
belongs to that identity, and no folder that was there before changes its owner or its permissions: when the wanted
place cannot be reached by the identity, the data lives under `/var/lib/bellwether` and a pointer file says so.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict

from apps.backups.postgres_tools import find_tools
from apps.core.ids import fresh_token

UNPRIVILEGED_ID = 65534  # `nobody` on Linux: owns nothing else that matters
SYSTEM_ROOT = Path("/var/lib/bellwether")
POINTER_NAME = "location.txt"
PASS_THROUGH = 0o711  # others may walk through a folder of ours, not list it


class EmbeddedError(RuntimeError):
    """The embedded server cannot be used; the message is one plain line for the operator."""


class RunAs(TypedDict, total=False):
    """The arguments of `subprocess` that choose the identity."""

    user: int
    group: int
    extra_groups: list[int]


def run_as() -> RunAs:
    """Return the identity of PostgreSQL's processes: unprivileged when we are root, otherwise our own."""
    if os.geteuid() != 0:
        return RunAs()
    return RunAs(user=UNPRIVILEGED_ID, group=UNPRIVILEGED_ID, extra_groups=[])


def make_passable(folder: Path) -> None:
    """Create `folder` (and missing parents) so that PostgreSQL's identity can walk through what we made."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    for part in reversed(missing):
        part.mkdir(exist_ok=True)
        part.chmod(PASS_THROUGH if os.geteuid() == 0 else 0o700)


def give_to_server(path: Path) -> None:
    """Hand a file or folder that we made to PostgreSQL's identity."""
    if os.geteuid() == 0:
        os.chown(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)


def choose_home(wanted: Path) -> Path:
    """Return the folder in which the server lives: `wanted`, or a place of our own that its identity can reach.

    Raises EmbeddedError when data is there already but out of reach.
    """
    make_passable(wanted)
    chosen = known_home(wanted)
    if chosen != wanted:
        make_passable(chosen)
        return chosen
    if _can_enter(wanted):
        return wanted
    if (wanted / "data").exists():
        raise EmbeddedError(
            f"the database in {wanted} cannot be reached by uid {UNPRIVILEGED_ID}: a parent folder is closed to it"
        )
    home = SYSTEM_ROOT / _new_name(wanted)
    make_passable(home)
    (wanted / POINTER_NAME).write_text(f"PostgreSQL cannot reach this folder, so its data is in\n{home}\n")
    return home


def _new_name(wanted: Path) -> str:
    """Name a home after the wanted place, and never twice: who deletes that place and starts afresh gets an empty database."""
    return f"{hashlib.sha256(str(wanted.resolve()).encode()).hexdigest()[:16]}-{fresh_token(6).lower()}"


def known_home(wanted: Path) -> Path:
    """Return the home chosen earlier for `wanted`: the one that its pointer file names, or `wanted` itself."""
    pointer = wanted / POINTER_NAME
    if not pointer.exists():
        return wanted
    return Path(pointer.read_text().splitlines()[-1])


def usable_programs() -> Path:
    """Return a folder of PostgreSQL's programs that its identity can run, if need be with a private copy."""
    installed = find_tools("initdb").parent
    if _can_run(installed / "postgres"):
        return installed
    copied = _private_copy(installed.parent) / installed.name
    if not _can_run(copied / "postgres"):
        raise EmbeddedError(f"uid {UNPRIVILEGED_ID} can run PostgreSQL neither from {installed} nor from {copied}")
    return copied


def _private_copy(installation: Path) -> Path:
    stamp = (installation / "bin" / "postgres").stat()
    name = hashlib.sha256(f"{installation}:{stamp.st_size}:{stamp.st_mtime_ns}".encode()).hexdigest()[:16]
    target = SYSTEM_ROOT / f"programs-{name}"
    if target.exists():
        return target
    make_passable(SYSTEM_ROOT)
    unfinished = SYSTEM_ROOT / f"programs-{name}.{os.getpid()}"
    shutil.copytree(installation, unfinished, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        _open_for_reading(path)
    try:
        unfinished.rename(target)
    except OSError:  # another process was faster, and its copy is as good
        shutil.rmtree(unfinished)
    return target


def _open_for_reading(path: Path) -> None:
    """Let everybody read our copy of a program that anybody can download; the installed one may be closed to others."""
    if not path.is_symlink():
        mode = path.stat().st_mode
        path.chmod(mode | 0o044 | (0o011 if mode & 0o100 else 0))


def _can_enter(folder: Path) -> bool:
    asked = subprocess.run(
        ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder.resolve())],
        cwd="/",
        stderr=subprocess.DEVNULL,
        check=False,
        **run_as(),
    )
    return asked.returncode == 0


def _can_run(program: Path) -> bool:
    try:
        asked = subprocess.run([str(program), "--version"], cwd="/", capture_output=True, check=False, **run_as())
    except OSError:
        return False
    return asked.returncode == 0
