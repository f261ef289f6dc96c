"""What must hold before anything is started; each failure is one plain line and exit code 2."""

from __future__ import annotations

import errno
import shutil
import socket
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
LEAST_FREE_MIB = 300  # a new database cluster takes 60, a day of the recorded world 150


class CannotStart(RuntimeError):
    """The desk cannot start here; the message is the one line that the operator reads."""


def check_python() -> None:
    """Refuse a Python that is too old."""
    if sys.version_info < OLDEST_PYTHON:
        raise CannotStart(f"Python {sys.version_info.major}.{sys.version_info.minor} is too old: 3.11 or newer is needed")


def check_port(port: int) -> None:
    """Refuse a port on which something listens, or that we may not use. Raises CannotStart."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CannotStart(f"port {port} is taken: choose another with --port") from None
            raise CannotStart(f"port {port} cannot be used: {error.strerror}") from None


def check_folder(folder: Path) -> None:
    """Create the data folder and refuse one that cannot be written or whose disk is full. Raises CannotStart."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    trial = folder / ".trial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"\0" * 4096)
        trial.unlink()
    except OSError as error:
        raise CannotStart(_folder_problem(folder, error)) from None
    for part in missing:
        part.chmod(0o711)  # ours: PostgreSQL's identity walks through it, nobody lists it
    free_mib = shutil.disk_usage(folder).free // 2**20
    if free_mib < LEAST_FREE_MIB:
        raise CannotStart(f"the disk of {folder} is full: {free_mib} MiB free, {LEAST_FREE_MIB} MiB needed")


def _folder_problem(folder: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk of {folder} is full"
    return f"the data folder {folder} cannot be written: {error.strerror}"
