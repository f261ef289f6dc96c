"""Real children take the jobs of one scope in turns."""

from __future__ import annotations

import pytest

from apps.jobs.models import Job, Schedule
from tests.integration.jobs.schedule_world import MINUTE, START, every, look, slots
from tests.integration.tasks import worker_world as world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(clean_redis, tmp_path, transactional_db):
    world.prepare()
    with world.worker(tmp_path, concurrency=2) as worker:
        yield worker


def test_two_children_do_all_missed_slots_one_at_a_time_and_each_knows_its_slot(running):
    row = every("report", 60, task="clockwork.mark_slot", queue=world.QUEUE)
    row.kwargs = '{"work_s": 0.05}'
    row.save()
    Schedule.objects.filter(name="report").update(misfire="all")
    type(row).objects.filter(pk=row.pk).update(date_changed=START)
    assert look(START + 10 * MINUTE).made == 10
    world.wait_for_end(tell=running.text)
    wanted = [slot.isoformat() for slot in slots("report", "done")]
    assert len(wanted) == 10
    assert [(name, note) for name, note, _ in world.marks()] == [(slot, note) for slot in wanted for note in ("begin", "end")]
    assert set(Job.objects.values_list("attempts", flat=True)) == {1}


def test_work_that_waits_for_its_scope_goes_on_as_soon_as_it_is_free(running):
    first = world.enqueue("clockwork.mark_slot", work_s=1.0, scope="one")
    second = world.enqueue("clockwork.mark_slot", work_s=0.0, scope="one")
    # No caretaker looks: the end of the one rings for the other.
    world.wait_until(lambda: world.states() == {"done": 2}, 60, running.text)
    assert [(name, note) for name, note, _ in world.marks()] == [("no slot", note) for note in ("begin", "end")] * 2
    turns = Job.objects.filter(id__in=(first, second)).order_by("started_at").values_list("started_at", "finished_at")
    (_, ended_at), (begun_at, _) = turns
    assert ended_at is not None
    assert begun_at is not None
    assert begun_at >= ended_at
