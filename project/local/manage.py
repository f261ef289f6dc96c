"""`bin/manage`: manage.py with the addresses and secrets of a desk of `bin/up`. It shows none of them.

The exit code is the command's, or 2 when there is no such desk.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from apps.backups.embedded import EmbeddedError, ToolMissing
from project.env import WrongSetting
from project.local.environment import desk_environment, given, single_environment
from project.local.folder import MARK, DataFolder
from project.local.options import a_folder, read_options
from project.local.preflight import CannotStart
from project.local.probe import read_json

EXIT_CANNOT = 2
ROOT = Path(__file__).resolve().parent.parent.parent
# The mark, because the next bin/up ends what an earlier one left, and this is the operator's own; the files, because
# they would go before the addresses of the desk.
NOT_OURS = frozenset({MARK, "DATABASE_URL_FILE", "REDIS_URL_FILE"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a desk's servers are; `world` is the recorded world's address, if it plays."""

    database_url: str
    redis_url: str
    world: str | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CannotStart(message)


def main(arguments: Sequence[str]) -> int:
    """Become manage.py with the variables of the desk, or return 2 after one line that says why not."""
    try:
        folder, command = _read(arguments)
        _become_manage(command, variables_of(folder))
    except (CannotStart, EmbeddedError, ToolMissing, WrongSetting) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def variables_of(folder: DataFolder) -> dict[str, str]:
    """Return the variables with which the commands of the desk in `folder` run. Raises CannotStart when there is none."""
    place = _place(folder)
    options = read_options(["--data", str(folder.path), *_pace(place.world)], root=ROOT)
    shared = desk_environment(
        options,
        folder,
        database_url=place.database_url,
        redis_url=place.redis_url,
        world_port=urlsplit(place.world).port if place.world else None,
    )
    return {name: value for name, value in single_environment(shared, "command").items() if name not in NOT_OURS}


def _become_manage(command: Sequence[str], variables: dict[str, str]) -> NoReturn:
    os.execve(sys.executable, [sys.executable, str(ROOT / "manage.py"), *command], variables)  # noqa: S606 (no shell is meant)


def _place(folder: DataFolder) -> _Place:
    if folder.is_in_use() and folder.desk_file.exists():
        desk = json.loads(folder.desk_file.read_text())
        return _Place(desk["database_url"], desk["redis_url"], desk["world"])
    if not folder.has_secrets():
        raise CannotStart(f"there is no desk in {folder.path}: start bin/up, or name its folder with --data")
    database_url, redis_url = given("DATABASE_URL"), given("REDIS_URL")
    if not (database_url and redis_url):
        raise CannotStart(f"the desk in {folder.path} does not run, so its servers do not either: start bin/up")
    return _Place(database_url, redis_url)


def _pace(world: str | None) -> tuple[str, ...]:
    """Return the options of bin/up that tell how fast the desk lives: the recorded world's speed, or life's."""
    status = read_json(urlsplit(world).port or 0, "/_world/status") if world else None
    return ("--speed", str(status["speed"])) if status else ("--live",)


def _read(arguments: Sequence[str]) -> tuple[DataFolder, list[str]]:
    parser = _Parser(
        prog="bin/manage",
        usage="%(prog)s [--data DIR] COMMAND ...",
        description="Run a command of manage.py on the desk of bin/up.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--data", type=a_folder, default=ROOT / ".local", metavar="DIR", help="the desk's (default: .local/ in the checkout)")
    add("command", nargs=argparse.REMAINDER, metavar="COMMAND ...", help="as manage.py takes it")
    chosen = parser.parse_args(arguments)
    if not chosen.command:
        raise CannotStart("a command of manage.py is needed, such as: bin/manage doctor")
    return DataFolder(chosen.data.absolute()), chosen.command


def _refuse(line: str) -> int:
    sys.stderr.write(f"bin/manage: {' '.join(line.split())}\n")
    return EXIT_CANNOT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
