"""Work is written down once, and rung for after the commit."""

from __future__ import annotations

import pytest
from django.db import transaction

from apps.core.bell import Bell
from apps.jobs import services as jobs
from apps.jobs.errors import WrongJob
from apps.jobs.models import Job
from apps.jobs.types import Enqueued
from tests.integration.jobs.jobs_world import BATCH, BY, NOW, QUEUE, SINGLE, after, at_once, enqueue, enqueue_batch, new, row


def test_a_job_is_written_as_it_was_given(db, bells):
    job_id = enqueue(
        kwargs={"market_id": "mkt_é", "ids": [1, 2]},
        key="settle:mkt_1",
        scope="settle",
        tenant="tnt_1",
        source="newsapi",
        start_by=after(60),
        deadline_at=after(90),
        attempts_max=5,
        priority=7,
        schedule="settle",
        slot_at=NOW,
    )
    job = row(job_id)
    assert job_id.startswith("job_")
    assert (job.task, job.kwargs, job.queue, job.key) == (SINGLE, {"market_id": "mkt_é", "ids": [1, 2]}, QUEUE, "settle:mkt_1")
    assert (job.scope, job.tenant, job.source, job.priority, job.attempts_max) == ("settle", "tnt_1", "newsapi", 7, 5)
    assert (job.start_by, job.deadline_at, job.schedule, job.slot_at) == (after(60), after(90), "settle", NOW)
    assert (job.state, job.attempts, job.next_try_at, job.rung_at, job.made_at, job.made_by) == ("queued", 0, NOW, NOW, NOW, BY)
    assert (job.lease_owner, job.lease_until, job.fencing_token, job.finished_at) == ("", None, 0, None)


@pytest.mark.django_db(transaction=True)
def test_a_single_job_is_rung_for_after_the_commit_and_not_before(bells):
    with transaction.atomic():
        job_id = enqueue()
        assert bells == []
    assert bells == [Bell(task=SINGLE, queue=QUEUE, job_id=job_id)]


@pytest.mark.django_db(transaction=True)
def test_a_rollback_leaves_neither_row_nor_bell(bells):
    with transaction.atomic():
        enqueue()
        transaction.set_rollback(True)
    assert (Job.objects.count(), bells) == (0, [])


@pytest.mark.django_db(transaction=True)
def test_a_job_for_later_is_not_rung_for_yet(bells):
    job_id = enqueue(run_at=after(60))
    assert (row(job_id).next_try_at, row(job_id).rung_at, bells) == (after(60), None, [])


@pytest.mark.django_db(transaction=True)
def test_many_jobs_are_one_statement_one_bell_a_batch_task_and_one_a_single_job(bells, django_assert_num_queries):
    wanted = [*(new(BATCH) for _ in range(250)), new(), new(BATCH, queue="fetch"), new()]
    with django_assert_num_queries(3):  # BEGIN and COMMIT besides
        assert jobs.enqueue_many(jobs=wanted, now=NOW, by=BY) == 253
    single_ids = Job.objects.filter(task=SINGLE).order_by("id").values_list("id", flat=True)
    assert sorted(bells, key=lambda bell: (bell.job_id, bell.queue)) == [
        Bell(task=BATCH, queue="fetch"),
        Bell(task=BATCH, queue=QUEUE),
        *(Bell(task=SINGLE, queue=QUEUE, job_id=job_id) for job_id in single_ids),
    ]


def test_none_at_all_is_no_error(db, bells):
    assert jobs.enqueue_many(jobs=[], now=NOW, by=BY) == 0


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_known_makes_no_second_job_and_no_second_bell(bells):
    first = jobs.enqueue(task=SINGLE, kwargs={"n": 1}, queue=QUEUE, key="k", now=NOW, by=BY)
    second = jobs.enqueue(task=SINGLE, kwargs={"n": 2}, queue=QUEUE, key="k", now=after(1), by=BY)
    assert (first.is_new, second) == (True, Enqueued(first.job_id, is_new=False))
    assert (Job.objects.count(), row(first.job_id).kwargs, len(bells)) == (1, {"n": 1}, 1)


def test_a_key_stays_taken_when_its_job_is_done(db, bells):
    job_id = enqueue(key="k")
    Job.objects.filter(id=job_id).update(state="done")
    assert enqueue(key="k") == job_id


def test_keys_within_one_call_count_too_and_jobs_without_a_key_are_never_the_same(db, bells):
    assert jobs.enqueue_many(jobs=[new(key="a"), new(key="a"), new(key="b"), new(), new()], now=NOW, by=BY) == 4


def test_a_slot_of_a_schedule_makes_one_job(db, bells):
    first = enqueue(schedule="seal", slot_at=NOW)
    assert enqueue(schedule="seal", slot_at=NOW) == first
    assert enqueue(schedule="seal", slot_at=after(30)) != first
    assert enqueue(schedule="roll", slot_at=NOW) != first
    assert Job.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_twelve_callers_with_one_key_at_once_make_one_job(bells):
    answers = at_once(12, lambda _: jobs.enqueue(task=SINGLE, kwargs={}, queue=QUEUE, key="k", now=NOW, by=BY))
    assert sorted(answer.is_new for answer in answers) == [False] * 11 + [True]
    assert len({answer.job_id for answer in answers}) == 1
    assert (Job.objects.count(), len(bells)) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kwargs": {"api_key": "x"}}, "kwargs.api_key"),
        ({"kwargs": {"x": float("nan")}}, "kwargs.x"),
        ({"task": "x" * 121}, "task"),
        ({"task": ""}, "task"),
        ({"queue": ""}, "queue"),
        ({"queue": "x" * 21}, "queue"),
        ({"queue": "misspelt"}, "queue"),
        ({"key": "x" * 201}, "key"),
        ({"scope": "a\x00b"}, "scope"),
        ({"tenant": "x" * 41}, "tenant"),
        ({"source": "x" * 41}, "source"),
        ({"schedule": "seal"}, "slot_at"),
        ({"slot_at": NOW}, "slot_at"),
        ({"attempts_max": 0}, "attempts_max"),
        ({"attempts_max": 101}, "attempts_max"),
        ({"priority": 1001}, "priority"),
        ({"run_at": NOW.replace(tzinfo=None)}, "run_at"),
        ({"deadline_at": NOW.replace(tzinfo=None)}, "deadline_at"),
        ({"task": BATCH, "scope": "s"}, "scope"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_nothing_is_written(db, bells, fields, field):
    with pytest.raises(WrongJob) as refusal:
        jobs.enqueue_many(
            jobs=[new(), new(fields.get("task", SINGLE), **{k: v for k, v in fields.items() if k != "task"})], now=NOW, by=BY
        )
    assert refusal.value.field == field
    assert (Job.objects.count(), bells) == (0, [])


def test_ids_of_one_moment_are_all_different(db, bells):
    assert len(set(enqueue_batch(500))) == 500
