"""The same cold batch in several processes: each document is loaded once, also when one of them dies in the middle."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from django.conf import settings as desk

from tests.integration.resilience.cache_processes import Caller, eventually

PROGRAM = Path(__file__).with_name("batch_caller.py")
HANDED_OVER_S_MAX = 5.0


@pytest.fixture
def start(prefix, tmp_path):
    """Start processes that are ready to fetch the same documents; at the end none is left."""
    started: list[Caller] = []

    def starting(count, *, documents, load_s, mode="value"):
        for _ in range(count):
            how = {"callers": documents, "load_s": load_s, "mode": mode, "program": PROGRAM}
            started.append(Caller(desk.KIT_REDIS_URL, prefix, tmp_path / "loads", **how))
        for caller in started:
            caller.stand_ready()
        return started

    yield starting
    for caller in started:
        caller.kill()


def loads_in(path):
    """Return the process and the document of each load, in order."""
    return [tuple(map(int, line.split())) for line in path.read_text().splitlines()] if path.exists() else []


def test_two_processes_with_the_same_cold_batch_load_each_document_once(start, tmp_path):
    callers = start(2, documents=200, load_s=0.05)
    for caller in callers:
        caller.go()
    results = [caller.result() for caller in callers]
    loads = loads_in(tmp_path / "loads")
    assert sorted(document for _, document in loads) == list(range(200))
    by = {document: f"by {process}" for process, document in loads}
    assert [result["outcomes"] for result in results] == [[by[document] for document in range(200)]] * 2
    assert sum(result["counts"]["refreshes"] for result in results) == 200
    assert [result["fallbacks"] for result in results] == [0, 0]
    assert {process for process, _ in loads} == {caller.process.pid for caller in callers}


def test_a_failure_of_one_process_is_that_of_the_other_too(start, tmp_path):
    callers = start(2, documents=10, load_s=2.0, mode="error")
    for caller in callers:
        caller.go()
    assert [caller.result()["outcomes"] for caller in callers] == [["TimedOut('no answer')"] * 10] * 2
    assert sorted(document for _, document in loads_in(tmp_path / "loads")) == list(range(10))


def test_what_a_killed_process_had_begun_is_loaded_by_the_other_within_five_seconds(start, tmp_path):
    dying, living = start(2, documents=20, load_s=1.0)
    dying.go()
    assert eventually(lambda: len(loads_in(tmp_path / "loads")) == 10)
    living.go()
    time.sleep(0.3)  # the other finds all twenty held
    dying.kill()
    killed_s = time.monotonic()
    assert eventually(lambda: {process for process, _ in loads_in(tmp_path / "loads")} == {dying.process.pid, living.process.pid})
    assert time.monotonic() - killed_s < HANDED_OVER_S_MAX
    result = living.result()
    assert result["outcomes"] == [f"by {living.process.pid}"] * 20
    assert sorted(document for process, document in loads_in(tmp_path / "loads") if process == living.process.pid) == list(
        range(20)
    )
