"""A beat that looks as often as it can, as a process of its own: `python -m tests.integration.jobs.beat_hammer S SPEED`.

It says "ready" and reads when to begin (seconds of the epoch). Its time runs SPEED times as fast as ours, for S seconds.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import django


def main(lasts_s: float, speed: float) -> None:
    django.setup()
    from tests.integration.jobs.schedule_world import START, definitions, look

    of = definitions()
    looks = 0
    print("ready", flush=True)
    begun_s = float(sys.stdin.readline())
    while (passed_s := (time.time() - begun_s) * speed) < lasts_s:
        if passed_s > 0:
            look(START + timedelta(seconds=passed_s), of)
            looks += 1
    print(looks)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
