"""A supervisor over two harmless processes, run as a program by test_supervisor.py: python small_desk.py FOLDER [stubborn].

`web` is a master with a child of its own (as gunicorn and Celery have); `beat` ignores SIGTERM when a second argument
says "stubborn" (and is waited for in vain: half a minute twice when it says "patient" too). What the supervisor says goes to
stdout, its process ids to desk.json.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from project.local.folder import MARK, DataFolder
from project.local.guard import Guard
from project.local.preflight import CannotStart, check_folder
from project.local.privately import write_privately
from project.local.stopping import StopRequest
from project.local.supervisor import Service, Stopped, Supervisor
from project.local.up import listen_to_signals

MASTER = """
import subprocess, sys, pathlib
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
child.wait()
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def main(path: Path, *, is_stubborn: bool, patience_s: float) -> int:
    """Run until a signal comes."""
    check_folder(path)
    folder = DataFolder(path)
    lock = folder.lock()
    folder.clean()
    guard = Guard(path, lock)
    stop = StopRequest()
    listen_to_signals(stop)
    variables = dict(os.environ) | {MARK: str(path)}
    child_file = path / "child"
    web = Service(
        name="web",
        command=(sys.executable, "-c", MASTER, str(child_file)),
        environment=variables,
        is_ready=child_file.exists,
        prepare=lambda: child_file.unlink(missing_ok=True),
    )
    sleeper = STUBBORN if is_stubborn else "import time; time.sleep(600)"
    beat = Service(
        name="beat",
        command=(sys.executable, "-c", sleeper),
        environment=variables,
        stop_signals=((signal.SIGTERM, patience_s), (signal.SIGTERM, patience_s)),
    )

    def describe() -> None:
        write_privately(folder.desk_file, json.dumps({**supervisor.pids(), "guardian": guard.pid}))

    supervisor = Supervisor(logs=folder.logs, guard=guard, stop=stop, say=lambda line: print(line, flush=True), changed=describe)
    try:
        supervisor.bring_up(web, beat)
        print("up", flush=True)
        while True:
            supervisor.step()
            supervisor.pause()
    except Stopped:
        supervisor.shut_down()
        guard.release()
        folder.desk_file.unlink()
        print("down", flush=True)
    return 0


if __name__ == "__main__":
    try:
        patience_s = 30.0 if "patient" in sys.argv[2:] else 0.5
        sys.exit(main(Path(sys.argv[1]), is_stubborn="stubborn" in sys.argv[2:], patience_s=patience_s))
    except CannotStart as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(2)
