"""A process that moves paced messages for so long, and says what that cost: python -m tests.integration.tasks.paced_mover SECONDS"""

from __future__ import annotations

import json
import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()

from tasks.loops import Loop  # noqa: E402  # after Django is set up
from tasks.pacing import move_step  # noqa: E402
from tests.integration.tasks.paced_tasks import note  # noqa: E402


def main(run_s: float) -> None:
    loop = Loop("mover", move_step)
    loop.start()
    note("movers", str(os.getpid()))
    time.sleep(1.0)  # what starting costs is not counted
    began_s, used_s = time.monotonic(), time.process_time()
    time.sleep(run_s)
    share = (time.process_time() - used_s) / (time.monotonic() - began_s)
    loop.stop()
    sys.stdout.write(json.dumps({"cpu_share": share}) + "\n")


if __name__ == "__main__":
    main(float(sys.argv[1]))
