"""Workers that are told to stop, are killed, or replace a child lose nothing: rows tell."""

from __future__ import annotations

import signal
import time
from functools import partial

import pytest

from tests.integration.tasks import worker_world as world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]

# What Celery says to TERM, QUIT and QUIT again.
ANSWERS = ("Warm shutdown", "again will terminate all running tasks", "cold shutdown to complete")


@pytest.fixture(autouse=True)
def _clean(clean_redis, transactional_db):
    world.prepare()


def under_way(worker, name):
    job_id = world.enqueue("clockwork.mark_atomic", name=name, work_s=4)
    world.wait_until(lambda: world.job(job_id).state == "running", 30, worker.text)
    waiting = [world.enqueue("clockwork.mark_atomic", name=f"{name} {number}") for number in range(3)]
    return job_id, waiting


def tell(worker, signals):
    """Send each signal after the answer to the one before it: two of one kind at once count as one."""
    for number, answer in zip(signals, ANSWERS, strict=False):
        worker.send(number)
        if len(signals) > 1:
            world.wait_until(partial(has_said, worker, answer), 3, worker.text)


def has_said(worker, answer):
    return answer in worker.text()


@pytest.mark.parametrize(
    ("signals", "soft_s"),
    [((signal.SIGTERM,), 50), ((signal.SIGQUIT,), 50)],
    ids=["a warm shutdown", "a soft shutdown"],
)
def test_who_has_time_finishes_what_runs_and_leaves_the_rest(tmp_path, signals, soft_s):
    with world.worker(tmp_path, WORKER_SOFT_SHUTDOWN_TIMEOUT=str(soft_s)) as worker:
        job_id, waiting = under_way(worker, "job")
        begun_s = time.monotonic()
        for number in signals:
            worker.send(number)
        assert worker.wait() == 0
        assert time.monotonic() - begun_s < soft_s - 10  # as long as the job takes, not as long as it may
    assert (world.job(job_id).state, world.job(job_id).attempts) == ("done", 1)
    assert {world.job(other).state for other in waiting} == {"queued"}
    with world.worker(tmp_path, name="next") as worker:
        world.wait_for_end(tell=worker.text)
    assert world.states() == {"done": 4}
    assert sorted(name for name, _, _ in world.marks()) == ["job", "job 0", "job 1", "job 2"]


@pytest.mark.parametrize(
    ("signals", "soft_s"),
    [((signal.SIGQUIT,), 1), ((signal.SIGTERM, signal.SIGQUIT, signal.SIGQUIT), 20), ((signal.SIGKILL,), 20)],
    ids=["a soft shutdown that is too short", "a cold shutdown", "a kill"],
)
def test_what_was_cut_off_is_done_once_by_the_next_worker(tmp_path, signals, soft_s):
    with world.worker(tmp_path, WORKER_SOFT_SHUTDOWN_TIMEOUT=str(soft_s)) as worker:
        job_id, _ = under_way(worker, "job")
        children = worker.children()
        tell(worker, signals)
        for child in children if signals == (signal.SIGKILL,) else ():
            world.kill(child)
        worker.wait()
    assert world.marks("job") == []
    with world.worker(tmp_path, name="next") as worker:
        world.wait_for_end(90, tell=worker.text)
    assert world.states() == {"done": 4}
    assert world.job(job_id).attempts == 2
    assert sorted(name for name, _, _ in world.marks()) == ["job", "job 0", "job 1", "job 2"]


def test_a_child_that_grew_is_replaced_and_its_job_is_done_once(tmp_path):
    with world.worker(tmp_path, WORKER_MAX_MEMORY_PER_CHILD="250000") as worker:
        for number in range(3):
            world.enqueue("clockwork.grow", name=f"{number}")
        world.wait_for_end(tell=worker.text)
    assert world.states() == {"done": 3}
    assert sorted(name for name, _, _ in world.marks()) == ["0", "1", "2"]
    assert len({pid for _, _, pid in world.marks()}) == 3


def test_a_child_is_replaced_after_its_number_of_tasks(tmp_path):
    with world.worker(tmp_path, WORKER_MAX_TASKS_PER_CHILD="2") as worker:
        for number in range(6):
            world.enqueue("clockwork.mark_atomic", name=f"{number}")
        world.wait_for_end(tell=worker.text)
    assert sorted(name for name, _, _ in world.marks()) == ["0", "1", "2", "3", "4", "5"]
    assert len({pid for _, _, pid in world.marks()}) == 3
