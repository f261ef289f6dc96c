"""Loops beside beat: they repeat, survive what fails, leave no session behind, and end when asked."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection

from tasks.loops import FAILURES, Loop

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_S = 20


class Steps:
    """A step that counts itself, fails when told to, and says when it was taken often enough."""

    def __init__(self, *, enough: int, failing: int = 0, wait_s: float = 0.001) -> None:
        self.taken, self.failing, self.enough, self.wait_s = 0, failing, enough, wait_s
        self.is_enough = threading.Event()
        self.sessions: list[int] = []

    def __call__(self) -> float:
        self.taken += 1
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.sessions.append(cursor.fetchone()[0])
        if self.taken >= self.enough:
            self.is_enough.set()
        if self.taken <= self.failing:
            raise RuntimeError("a defect")
        return self.wait_s


def failures(name: str) -> float:
    return float(FAILURES.labels(loop=name)._value.get())


def has_left(pids: list[int]) -> bool:
    """Return whether the server has ended these sessions; it takes a moment to."""
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", [pids])
            if cursor.fetchone() == (0,):
                return True
        time.sleep(0.05)
    return False


def run(name: str, step: Steps) -> None:
    loop = Loop(name, step)
    loop.start()
    assert step.is_enough.wait(WAIT_S)
    assert loop.is_alive()
    loop.stop()
    assert not loop.is_alive()


def test_a_loop_repeats_its_step_on_one_session_and_leaves_none_behind():
    step = Steps(enough=20)
    run("repeats", step)
    assert (failures("repeats"), len(set(step.sessions))) == (0, 1)
    assert has_left(step.sessions)


def test_a_step_that_fails_ends_nothing_and_gets_a_new_session(caplog):
    step = Steps(enough=4, failing=2)
    run("stumbles", step)
    assert failures("stumbles") == 2
    assert len(set(step.sessions)) == 3
    assert has_left(step.sessions)
    told = [record.msg["failures"] for record in caplog.records if isinstance(record.msg, dict)]
    assert told == [1, 2]


def test_failures_are_waited_for_longer_each_time_and_ten_seconds_at_most():
    step = Steps(enough=1, failing=99)
    loop = Loop("waits", step)
    assert [loop._turn() for _ in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    step.failing = 0
    assert loop._turn() == step.wait_s
    step.failing = 99
    assert loop._turn() == 0.5


def test_a_loop_that_waits_ends_at_once():
    step = Steps(enough=1, wait_s=3600)
    begun_s = time.monotonic()
    run("sleeps", step)
    assert time.monotonic() - begun_s < WAIT_S
    assert step.taken == 1
