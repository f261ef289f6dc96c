"""Many beats at once: each nominal time has one job, and none is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.db import transaction as django_transaction

from apps.jobs.misfires import Taken
from apps.jobs.models import Job, Schedule
from apps.jobs.slots import slots_between
from tests.addresses import database_address
from tests.integration.jobs.schedule_world import MINUTE, SECOND, START, definitions, every, look, slots, story

pytestmark = pytest.mark.django_db(transaction=True)
BEATS, LASTS_S, SPEED = 4, 10, 2


def hammer() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.jobs.beat_hammer", str(LASTS_S), str(SPEED)]
    environment = os.environ | {"DATABASE_URL": database_address(), "DJANGO_SETTINGS_MODULE": "project.settings"}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def race(beats: list[subprocess.Popen[str]]) -> list[int]:
    """Let all beats go once each is ready, and return how often each looked."""
    for beat in beats:
        assert beat.stdout is not None
        assert beat.stdout.readline() == "ready\n"
    begun_s = time.time() + 0.2
    for beat in beats:
        assert beat.stdin is not None
        beat.stdin.write(f"{begun_s}\n")
        beat.stdin.flush()
    return [int(beat.communicate(timeout=120)[0]) for beat in beats]


def test_four_beats_leave_one_row_for_every_nominal_time():
    intervals = [0.1, 0.25, 0.3, 0.5, 0.7, 1, 1, 1, 2, 3]
    for number, every_s in enumerate(intervals):
        every(f"tick {number}", every_s, kwargs={"of": str(number)})
    Schedule.objects.filter(name__in=["tick 0", "tick 5"]).update(misfire="all")
    beats = [hammer() for _ in range(BEATS)]
    looks = race(beats)
    assert [beat.returncode for beat in beats] == [0] * BEATS
    assert min(looks) > 20
    for definition in definitions():
        handled_until = Schedule.objects.get(name=definition.name).handled_until
        assert handled_until is not None
        assert handled_until > START + timedelta(seconds=LASTS_S) - 4 * SECOND
        expected = Counter(slots_between(definition.rhythm, START, handled_until))
        assert Counter(slots(definition.name)) == expected
    queued = Counter(Job.objects.filter(state="queued").values_list("schedule", flat=True))
    assert queued["tick 0"] == len(slots("tick 0")) > 90
    assert all(count == 1 for name, count in queued.items() if name not in ("tick 0", "tick 5"))


def test_a_beat_passes_over_what_another_holds_and_comes_again():
    every("held", 10)
    every("free", 10)
    locked, released, of = threading.Event(), threading.Event(), definitions()

    def hold() -> None:
        with django_transaction.atomic():
            Schedule.objects.select_for_update().get(name="held")
            locked.set()
            released.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(10)
    now = START + MINUTE
    assert look(now, of) == Taken(looked_at=frozenset({"free"}), made=1, let_go=5)
    released.set()
    holder.join()
    assert look(now, of).made == 1
    assert [state for state, _ in story("held")] == ["skipped"] * 5 + ["queued"]


def test_a_beat_that_dies_in_mid_look_leaves_nothing_and_the_next_one_takes_all():
    every("tick", 10)
    of = definitions()
    with django_transaction.atomic():
        assert look(START + MINUTE, of).made == 1
        django_transaction.set_rollback(True)
    assert (Job.objects.count(), Schedule.objects.get().handled_until) == (0, None)
    assert look(START + MINUTE, of).made == 1
    assert len(slots("tick")) == 6
