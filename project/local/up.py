"""`bin/up`: the whole desk on this machine, until Ctrl-C or until the recorded world is settled.

Exit codes: 0 after a clean stop, or when all checks of the report hold; 1 when one does not; 2 when the desk cannot
start, with one plain line that says why; 130 when it was stopped before it ran.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.backups.embedded import EmbeddedError, ToolMissing
from project.env import WrongSetting
from project.local.desk import Desk
from project.local.environment import given
from project.local.flower import check_flower
from project.local.folder import DataFolder
from project.local.given_servers import check_servers
from project.local.guard import Guard
from project.local.options import Options, read_options
from project.local.preflight import CannotStart, check_folder, check_port, check_python
from project.local.screen import Screen
from project.local.stopping import StopRequest
from project.local.supervisor import Stopped

EXIT_GOOD, EXIT_BAD, EXIT_CANNOT, EXIT_STOPPED = 0, 1, 2, 130
REFUSALS = (CannotStart, EmbeddedError, ToolMissing, WrongSetting)
ROOT = Path(__file__).resolve().parent.parent.parent


def main(arguments: Sequence[str]) -> int:
    """Run `bin/up` and return its exit code."""
    try:
        check_python()
        options = read_options(arguments, root=ROOT)
        check_port(options.port)
        check_servers(given("DATABASE_URL"), given("REDIS_URL"))
        check_folder(options.data)
        if options.has_flower:
            check_flower()
        return run(options)
    except REFUSALS as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def run(options: Options) -> int:
    """Lock the data folder, start the desk, keep it, and leave nothing behind."""
    folder = DataFolder(options.data)
    lock = folder.lock()
    folder.clean()
    screen = Screen(is_json=options.is_json)
    stop = StopRequest()
    listen_to_signals(stop)
    guard = Guard(folder.path, lock)
    desk = Desk(options, folder, screen, guard, stop)
    report: dict[str, Any] | None = None
    has_run = False
    try:
        desk.start()
        has_run = True
        report = _stay(desk, options)
    except Stopped:
        screen.say("Stopping ...")
    except (*REFUSALS, OSError):
        if not stop.times:  # else Ctrl-C ended what failed: it goes to all programs of a terminal
            raise
        screen.say("Stopping ...")
    finally:
        screen.close()
        desk.shut_down()
        guard.release()
        os.close(lock)
    if not has_run:
        return EXIT_STOPPED
    if report is None:  # stopped by a signal: the usual end, unless a report was wanted
        return EXIT_BAD if options.exits_when_settled else EXIT_GOOD
    return _tell(report, screen, is_json=options.is_json)


def _stay(desk: Desk, options: Options) -> dict[str, Any] | None:
    if options.exits_when_settled:
        return desk.play_to_the_end()
    desk.keep()
    return None


def listen_to_signals(stop: StopRequest) -> None:
    """Turn Ctrl-C, SIGTERM and a closed terminal into a wish to stop; a second one means at once."""

    def heard(_number: int, _frame: object) -> None:
        stop.ask()

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, heard)


def _tell(report: dict[str, Any], screen: Screen, *, is_json: bool) -> int:
    if is_json:
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()
    else:
        screen.table("Report", {name: json.dumps(value) for name, value in report.items()})
    return EXIT_GOOD if report["all_checks_hold"] else EXIT_BAD


def _refuse(line: str) -> int:
    sys.stderr.write(f"bin/up: {' '.join(line.split())}\n")
    return EXIT_CANNOT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
