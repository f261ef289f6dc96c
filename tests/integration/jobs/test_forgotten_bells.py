"""The broker was found empty: what was rung for until then has no message, and nobody needs to find that out row by row."""

from __future__ import annotations

import pytest

from apps.core.bell import Bell
from apps.core.db import only_one
from apps.jobs import services as jobs
from apps.jobs.types import NewJob, Reconciled
from tests.integration.jobs.jobs_world import BATCH, QUEUE, after, at_once, enqueue, enqueue_batch

pytestmark = pytest.mark.django_db(transaction=True)
FULL = {QUEUE: 5_000}


def look(seconds: float, *, until: float = 2) -> Reconciled:
    return jobs.reconcile(depths=FULL, now=after(seconds), forgotten_until=after(until))


def test_in_a_full_queue_all_are_rung_for_at_once_first_and_in_their_order(bells):
    lost = [enqueue(now=after(second), priority=priority) for second, priority in ((0, 0), (1, 0), (2, 7))]
    kept = enqueue(now=after(2.5))
    bells.clear()
    assert look(3) == Reconciled(rerung=3, has_rung_all=True)
    assert [(bell.job_id, bell.goes_first) for bell in bells] == [(lost[2], True), (lost[0], True), (lost[1], True)]
    bells.clear()
    assert look(4) == Reconciled(has_rung_all=True)  # they have messages now, as had the one that was rung for later
    assert kept not in {bell.job_id for bell in bells}


def test_a_moment_that_lies_ahead_is_waited_for(bells):
    enqueue()
    bells.clear()
    assert look(1.9) == Reconciled()
    assert look(2).rerung == 1


def test_a_batch_is_rung_for_first_once_for_a_hundred_rows_though_newer_rows_have_a_bell(bells):
    enqueue_batch(130)
    enqueue_batch(1, now=after(2.5))
    bells.clear()
    assert look(3) == Reconciled(rerung=2, has_rung_all=True)
    assert bells == [Bell(task=BATCH, queue=QUEUE, goes_first=True)] * 2


def test_a_batch_whose_rows_all_came_later_is_not_rung_for(bells):
    enqueue_batch(3, now=after(2.5))
    bells.clear()
    assert look(3) == Reconciled(has_rung_all=True)


def test_what_one_look_cannot_ring_for_is_left_to_the_next(bells):
    new = [NewJob(task="tests.single", queue=QUEUE)] * 1_200
    jobs.enqueue_many(jobs=new, now=after(0), by="test")
    bells.clear()
    assert look(3) == Reconciled(rerung=1_000)
    assert look(4) == Reconciled(rerung=200, has_rung_all=True)
    assert len({bell.job_id for bell in bells}) == 1_200


def test_who_leaves_because_another_looks_has_rung_for_nothing(bells):
    enqueue()
    with only_one("jobs.reconcile"):
        assert at_once(1, lambda _: look(3)) == [Reconciled()]
    assert look(3) == Reconciled(rerung=1, has_rung_all=True)
