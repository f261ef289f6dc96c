"""Real workers run jobs: each end of a job, from the message to the row."""

from __future__ import annotations

import pytest

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
