"""Paced messages through the real broker: each comes in its slot, once, and what waits holds no worker."""

from __future__ import annotations

import time

import pytest

from apps.resilience import Pace
from apps.sources.pacing import paced_queue
from tasks.loops import Loop
from tasks.pacing import move_step, send_many
from tests.integration.tasks import paced_world as world
from tests.integration.tasks.paced_tasks import QUEUE

pytestmark = pytest.mark.django_db(transaction=True)
PER_MINUTE = 600
PACE = Pace.per_minute(PER_MINUTE)


@pytest.fixture
def moving():
    loop = Loop("mover", move_step)
    loop.start()
    yield loop
    loop.stop()


def send(source: str, count: int, **more: object) -> int:
    kwargs = [{"source": source, "number": number, "per_minute": PER_MINUTE, **more} for number in range(count)]
    return send_many("paced.call", kwargs, source=source, pace=PACE, queue=QUEUE)


def test_each_runs_in_its_slot_and_once_and_takes_no_second_slot(clean_redis, tmp_path, moving):
    source = world.new_source()
    with world.worker(tmp_path, QUEUE, name="paced", concurrency=2) as worker:
        began_s = time.monotonic()
        assert send(source, 60) == PACE.burst
        world.wait_until(lambda: len(world.calls_of(source)) >= 60, 60, worker.text)
        took_s = time.monotonic() - began_s
    calls = world.calls_of(source)
    late_s = [call.late_s for call in calls]
    world.tell(slot_to_call_p50_ms=world.quantile(late_s, 0.5) * 1000, slot_to_call_p99_ms=world.quantile(late_s, 0.99) * 1000)
    assert sorted(call.number for call in calls) == list(range(60))
    assert all(call.slot_us for call in calls)
    assert world.most_in_a_window(calls, 3.0) <= PACE.burst + 3.0 * 1_000_000 / PACE.interval_us + 2
    assert world.quantile(late_s, 0.99) < 1.0
    # Had each call taken a slot of its own beside the one that was paid, it would have taken twice as long.
    assert took_s < 1.5 * 60 * PACE.interval_us / 1_000_000


def test_what_waits_holds_no_worker(clean_redis, tmp_path, moving):
    slow, quick = world.new_source(), world.new_source()
    waiting = [{"source": slow, "number": number, "per_minute": 5} for number in range(2_000)]
    with world.worker(tmp_path, QUEUE, name="paced") as worker:
        assert send_many("paced.call", waiting, source=slow, pace=Pace.per_minute(5), queue=QUEUE) == 1
        send(quick, 20)
        world.wait_until(lambda: len(world.calls_of(quick)) >= 20, 30, worker.text)
    assert len(world.calls_of(slow)) <= 2
    assert sum(line.count for line in paced_queue().waiting() if line.source == slow) >= 1_998
