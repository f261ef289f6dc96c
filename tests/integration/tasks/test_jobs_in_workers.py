"""Real workers run jobs: each end of a job, from the message to the row."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.core import bell, clock
from apps.jobs import services as jobs
from apps.jobs.models import Job
from tests.integration.tasks import worker_world as world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(clean_redis, tmp_path, transactional_db):
    world.prepare()
    with world.worker(tmp_path, concurrency=2) as worker:
        yield worker


def test_every_job_ends_as_its_body_did(running):
    single = world.enqueue("clockwork.mark", name="a")
    atomic = world.enqueue("clockwork.mark_atomic", name="b")
    batch = [world.enqueue("clockwork.mark_batch", name=f"c{number}") for number in range(250)]
    refused = world.enqueue("clockwork.refuse")
    broken = world.enqueue("clockwork.break_down", attempts_max=1)
    world.wait_for_end(tell=running.text)
    assert sorted(world.marks("a") + world.marks("b")) == [
        ("a", "single", world.marks("a")[0][2]),
        ("b", "atomic", world.marks("b")[0][2]),
    ]
    assert sorted(name for name, note, _ in world.marks() if note == "batch") == sorted(f"c{n}" for n in range(250))
    assert {world.job(job_id).state for job_id in (single, atomic, *batch)} == {"done"}
    assert (world.job(refused).state, world.job(refused).reason) == ("done", "conflict")
    parked = world.job(broken)
    assert (parked.state, parked.attempts) == ("parked", 1)
    assert "ValueError" in parked.reason
    assert "break_down" in parked.trace
    assert "hunter2" not in parked.reason + parked.trace


def test_a_bad_row_takes_no_neighbours_with_it(running):
    for number in range(40):
        world.enqueue("clockwork.mark_batch", name=f"r{number}", is_bad=number == 17, attempts_max=1)
    world.wait_for_end(tell=running.text)
    assert world.states() == {"done": 39, "parked": 1}
    assert Job.objects.get(state="parked").reason == "ValueError: r17 is bad"
    assert len(world.marks()) == 39


def test_who_is_told_to_come_again_is_put_off_and_no_attempt_is_lost(running):
    job_id = world.enqueue("clockwork.come_again", after_s=0.2)
    world.wait_until(lambda: world.job(job_id).postponements >= 2, 30, running.text, while_waiting=world.look_after)
    found = world.job(job_id)
    assert found.attempts <= 1
    assert "Transient: the other side is busy" in found.reason


def test_the_message_of_a_superseded_tick_wakes_the_newest_one(clean_redis, tmp_path, transactional_db):
    """Ticks that come each second while messages wait longer for a worker: each message would find its job superseded."""
    world.prepare()
    at = clock.now()
    ticks = [
        jobs.enqueue(
            task="clockwork.mark", kwargs={"name": str(n)}, queue=world.QUEUE, now=at, by="test",
            schedule="each second", slot_at=at + timedelta(seconds=n),
        ).job_id
        for n in range(4)
    ]  # fmt: skip
    Job.objects.filter(id__in=ticks[:3]).update(state="skipped", reason="superseded", finished_at=at)
    world.empty_queue()
    bell.ring_job(job_id=ticks[0], task="clockwork.mark", queue=world.QUEUE)
    bell.ring_job(job_id=ticks[1], task="clockwork.mark", queue=world.QUEUE)
    with world.worker(tmp_path) as worker:
        world.wait_until(lambda: world.job(ticks[3]).state == "done", 60, worker.text)
        world.wait_until(lambda: world.messages_waiting() == 0, 30, worker.text)
    assert [name for name, _, _ in world.marks()] == ["3"]
    assert [world.job(job_id).state for job_id in ticks] == ["skipped"] * 3 + ["done"]
