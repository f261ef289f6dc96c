"""What was tried before has waited in its queue already: its next bell goes before the others."""

from __future__ import annotations

import pytest
from celery import current_app

from apps.core.bell import Bell, ring_all
from apps.jobs import services as jobs
from apps.monitoring.queues import queue_depths
from tasks import upkeep
from tests.integration.jobs.jobs_world import BATCH, QUEUE, after, at_once, claim, claim_batch, enqueue, enqueue_batch

pytestmark = pytest.mark.django_db(transaction=True)


def look(seconds: float) -> None:
    jobs.reconcile(depths={}, now=after(seconds))


def test_a_job_that_lost_its_worker_goes_before_those_that_wait_and_one_that_lost_its_bell_does_not(bells):
    killed = enqueue()
    waiting = enqueue()
    claim(killed)
    bells.clear()
    look(15)
    assert {bell.job_id: bell.goes_first for bell in bells} == {killed: True, waiting: False}
    assert [bell.job_id for bell in bells] == [killed, waiting]


def test_a_batch_that_lost_its_worker_is_rung_for_first_until_somebody_comes(bells):
    enqueue_batch(3)
    assert len(claim_batch()) == 3
    bells.clear()
    look(15)
    assert bells == [Bell(task=BATCH, queue=QUEUE, goes_first=True)]
    bells.clear()
    look(18)
    assert bells == []
    look(21)  # nobody came: that bell was lost with another worker
    assert bells == [Bell(task=BATCH, queue=QUEUE, goes_first=True)]


def test_a_lost_batch_of_a_hundred_is_rung_for_four_times_so_that_four_workers_share_it(bells):
    enqueue_batch(100)
    assert len(claim_batch()) == 100
    bells.clear()
    look(15)
    assert bells == [Bell(task=BATCH, queue=QUEUE, goes_first=True)] * 4
    found = at_once(4, lambda _: [one.id for _ in range(25) for one in claim_batch(now=after(16))])
    assert len({job_id for ids in found for job_id in ids}) == sum(map(len, found)) == 100


def test_tried_rows_that_wait_long_are_rung_for_once_every_five_seconds(bells):
    enqueue_batch(100)
    claim_batch()
    look(15)
    bells.clear()
    for second in range(16, 31):
        look(second)
    assert bells == [Bell(task=BATCH, queue=QUEUE, goes_first=True)] * 3


def test_fresh_rows_beside_tried_ones_are_rung_for_once_every_five_seconds(bells):
    enqueue_batch(100)
    claim_batch()
    look(15)
    enqueue(BATCH, now=after(15))
    bells.clear()
    for second in range(16, 31):
        look(second)
    assert len(bells) == 3


def test_five_lost_batches_at_one_look_are_bounded(bells):
    enqueue_batch(500)
    for _ in range(5):
        assert len(claim_batch()) == 100
    bells.clear()
    look(15)
    assert len(bells) == 16


def test_rows_of_a_batch_that_were_never_tried_are_rung_for_in_their_turn(bells):
    enqueue_batch(3)
    bells.clear()
    look(6)
    assert bells == [Bell(task=BATCH, queue=QUEUE)]


def test_a_row_whose_worker_was_lost_keeps_its_place_before_fresh_ones_and_comes_alone(bells):
    lost = enqueue_batch(2)
    assert len(claim_batch()) == 2
    fresh = [enqueue(BATCH, now=after(1)) for _ in range(3)]
    look(15)
    taken = [{claim.id for claim in claim_batch(now=after(15))} for _ in range(4)]
    assert sorted(map(len, taken[:2])) == [1, 1]
    assert taken[0] | taken[1] == set(lost)
    assert taken[2:] == [set(fresh), set()]


def test_a_row_that_failed_waits_behind_those_that_were_due_before_it_and_not_behind_all_that_come_after(bells):
    [failed] = enqueue_batch(1)
    jobs.fail(claim=claim_batch()[0], error=ValueError("x"), now=after(0))  # to be tried again after two seconds
    early = enqueue(BATCH, now=after(1))
    late = enqueue(BATCH, now=after(3))
    assert [claim.id for claim in claim_batch(limit=1, now=after(4))] == [early]
    assert [claim.id for claim in claim_batch(limit=1, now=after(4))] == [failed]
    assert [claim.id for claim in claim_batch(limit=1, now=after(4))] == [late]


def test_what_goes_first_is_taken_before_all_others_and_keeps_its_order(clean_redis):
    for names, goes_first in ((("1", "2"), False), (("3", "4"), True), (("5",), False), (("6",), True)):
        ring_all([Bell(task=upkeep.seal.name, queue=QUEUE, job_id=f"job_{name}", goes_first=goes_first) for name in names])
    assert queue_depths()[QUEUE] == 6
    with current_app.connection_for_read() as connection, connection.SimpleBuffer(QUEUE, no_ack=True) as buffer:
        taken = [buffer.get(timeout=5).headers["job"] for _ in range(6)]
    assert taken == ["job_3", "job_4", "job_6", "job_1", "job_2", "job_5"]


def test_those_that_were_overtaken_are_rung_for_in_the_order_in_which_they_are_wanted(bells):
    lost = [enqueue(now=after(second / 100), priority=priority) for second, priority in ((3, 0), (1, 0), (2, 5), (0, 0))]
    claim(enqueue(now=after(7)), now=after(12))
    bells.clear()
    look(12)
    assert [bell.job_id for bell in bells] == [lost[2], lost[3], lost[1], lost[0]]
