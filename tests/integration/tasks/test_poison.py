"""Work that kills its worker, eats its memory or never ends is parked after three attempts, and its neighbours go on."""

from __future__ import annotations

import time

import pytest

from tests.integration.tasks import worker_world as world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]
WINDOW_S = 10.0
SHARE_MIN = 0.6  # nine tenths on a quiet machine; a busy one must break no test


@pytest.fixture(autouse=True)
def _clean(clean_redis, transactional_db):
    world.prepare()


def test_poison_is_parked_after_three_attempts_with_its_reason(tmp_path):
    with world.worker(tmp_path, concurrency=2) as worker:
        dead = world.enqueue("clockwork.segfault")
        hungry = world.enqueue("clockwork.eat_memory")
        slow = world.enqueue("clockwork.endless", ignores_soft_limit=False)
        deaf = world.enqueue("clockwork.endless", ignores_soft_limit=True)
        good = [world.enqueue("clockwork.mark_atomic", name=f"{number}") for number in range(50)]
        world.wait_for_end(120, tell=worker.text)
        assert worker.process.poll() is None
    found = {name: world.job(job_id) for name, job_id in {"dead": dead, "hungry": hungry, "slow": slow, "deaf": deaf}.items()}
    assert {name: (row.state, row.attempts) for name, row in found.items()} == dict.fromkeys(found, ("parked", 3))
    assert "SIGSEGV" in found["dead"].reason
    assert "MemoryError" in found["hungry"].reason
    assert "SoftTimeLimitExceeded" in found["slow"].reason
    assert "time limit of 2 s" in found["deaf"].reason
    assert "eat_memory" in found["hungry"].trace
    assert "endless" in found["slow"].trace
    assert all(row.trace for row in found.values())
    assert {world.job(job_id).state for job_id in good} == {"done"}
    assert len(world.marks()) == 50


def done_in_the_window(folder, poison):
    world.prepare()
    world.query("TRUNCATE jobs_job")
    world.empty_queue()
    with world.worker(folder, concurrency=2, name=f"with {poison} poison") as worker:
        for number in range(600):
            if number == 50 and poison:
                world.enqueue("clockwork.segfault")
                world.enqueue("clockwork.eat_memory")
            world.enqueue("clockwork.mark_atomic", name=f"{number}", work_s=0.03)
        begun = len(world.marks())
        until_s = time.monotonic() + WINDOW_S
        world.wait_until(lambda: time.monotonic() >= until_s, 60, while_waiting=world.look_after)
        done = len(world.marks()) - begun
        assert worker.process.poll() is None
    return done


def test_neighbours_of_poison_keep_their_throughput(tmp_path, record_property):
    alone = done_in_the_window(tmp_path, poison=False)
    beside = done_in_the_window(tmp_path, poison=True)
    record_property("share", beside / alone)
    print(f"{alone} jobs without poison, {beside} beside it: {beside / alone:.2f}")
    assert alone > 20
    assert beside >= SHARE_MIN * alone
