"""What was tried before has waited in its queue already: its next bell goes before the others."""

from __future__ import annotations

import json

import pytest
import redis
from django.conf import settings

from apps.core.bell import Bell, ring_all
from apps.jobs import services as jobs
from tests.integration.jobs.jobs_world import BATCH, QUEUE, SINGLE, after, at_once, claim, claim_batch, enqueue, enqueue_batch

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


def test_a_first_message_is_what_a_worker_takes_next(clean_redis):
    ring_all([Bell(task=SINGLE, queue=QUEUE, job_id=name) for name in ("job_1", "job_2")])
    ring_all([Bell(task=SINGLE, queue=QUEUE, job_id="job_3", goes_first=True)])
    ring_all([Bell(task=SINGLE, queue=QUEUE, job_id="job_4")])
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    with redis.Redis.from_url(clean_redis) as broker:
        waiting = [json.loads(raw)["headers"]["job"] for raw in broker.lrange(f"{prefix}{QUEUE}", 0, -1)]
    assert waiting[::-1] == ["job_3", "job_1", "job_2", "job_4"]  # workers take from the right
