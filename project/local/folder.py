"""The data folder of one desk: its lock, its secrets, its logs, and what a crash left in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path

from apps.core.ids import fresh_token
from project.local.clock import monotonic_s, pause_s
from project.local.guardian import PATIENCE_S, end_groups
from project.local.preflight import CannotStart
from project.local.privately import write_privately

MARK = "BELLWETHER_DATA"  # every process of a desk carries its folder in this variable
LONGEST_LOG_BYTES = 5 * 2**20
OLD_LOGS = 3
STOP_SIGNAL = 15
SECRET_BYTES = {"secret_key": 48, "ops_token": 32, "flower_password": 16}


class DataFolder:
    """One folder for everything that the desk keeps; `lock` makes it ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.desk_file = path / "desk.json"

    def lock(self) -> int:
        """Lock the folder and return the descriptor that holds the lock. Raises CannotStart when another desk runs here."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        give_up_s = monotonic_s() + PATIENCE_S + 4
        while not _locked(descriptor):
            holder = int(os.pread(descriptor, 20, 0) or b"0")
            if is_alive(holder) or monotonic_s() > give_up_s:
                raise CannotStart(
                    f"another bin/up (pid {holder}) runs in {self.path}: stop it or choose another folder with --data"
                )
            pause_s(0.1)  # it was killed, and its guardian is still cleaning up
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor

    def is_in_use(self) -> bool:
        """Say whether a desk holds this folder: the one that locked it last still runs."""
        try:
            return is_alive(int((self.path / "lock").read_text()))
        except (FileNotFoundError, ValueError):  # never locked, or being locked just now
            return False

    def has_secrets(self) -> bool:
        """Say whether a desk was ever started here."""
        return (self.path / "secrets.json").exists()

    def clean(self) -> None:
        """End processes of an earlier desk in this folder, remove its description and put long logs aside."""
        end_groups(dict.fromkeys(_groups_left(self.path), STOP_SIGNAL))
        self.desk_file.unlink(missing_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LONGEST_LOG_BYTES:
                _rotate(log)

    def private(self, name: str) -> Path:
        """Return a sub-folder that only we may read, created when it is missing."""
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def secrets(self) -> dict[str, str]:
        """Return the secrets of this desk, each made when it is first needed and kept from then on."""
        file = self.path / "secrets.json"
        kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        missing = {name: size for name, size in SECRET_BYTES.items() if name not in kept}
        if missing:
            kept |= {name: fresh_token(size) for name, size in missing.items()}
            write_privately(file, json.dumps(kept))
        return kept


def is_alive(pid: int) -> bool:
    """Whether a process with this number runs; one that ended and waits to be collected does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _groups_left(folder: Path) -> set[int]:
    """Return the process groups that carry the mark of `folder`; PostgreSQL's are left to `EmbeddedPostgres.clear_stale`."""
    mark = os.fsencode(f"{MARK}={folder}")
    found = {_marked_group(entry, mark) for entry in Path("/proc").glob("[0-9]*")}
    return {group for group in found if group is not None and group != os.getpgrp()}


def _marked_group(entry: Path, mark: bytes) -> int | None:
    try:
        is_marked = mark in (entry / "environ").read_bytes().split(b"\0")
        is_postgres = (entry / "comm").read_text().strip() == "postgres"
        return os.getpgid(int(entry.name)) if is_marked and not is_postgres else None
    except OSError:  # it ended meanwhile, or belongs to someone else
        return None


def _rotate(log: Path) -> None:
    for number in range(OLD_LOGS, 0, -1):
        older = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
