"""Which job a message that has waited is to wake: the job's own row says whether it is still wanted, by the server's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.selectors import WAKES, whom_to_wake
from tests.integration.jobs.jobs_world import BY, QUEUE, SINGLE
from tests.integration.jobs.plans import explained, indexes_of

SECOND = timedelta(seconds=1)
SLOT = datetime(2026, 11, 22, 12, tzinfo=UTC)
FILL = """
    INSERT INTO jobs_job (id, task, kwargs, queue, scope, schedule, slot_at, tenant, source, priority, state, attempts, attempts_max,
        postponements, lease_owner, fencing_token, progress_note, made_at, made_by, reason, trace, next_try_at, rung_at, finished_at)
    SELECT 'job_' || lpad(n::text, 26, '0'), 'tests.single', '{}', 'fetch', '', 'tick ' || n %% 50,
        %(now)s::timestamptz + n * interval '1 s', '', '', 0, CASE WHEN n > 49950 THEN 'queued' ELSE 'skipped' END, 0, 3,
        0, '', 0, '', %(now)s, 'test', '', '', %(now)s, %(now)s, %(now)s
    FROM generate_series(1, 50000) AS n
"""


def enqueue(**fields: Any) -> str:
    values = {"task": SINGLE, "queue": QUEUE, "kwargs": {}, "source": "reddit", **fields}
    return jobs.enqueue(now=fields.pop("now", datetime.now(UTC)), by=BY, **values).job_id


def tick(number: int, state: str = "queued", **fields: Any) -> str:
    made = enqueue(schedule="tick", slot_at=SLOT + number * SECOND, **fields)
    Job.objects.filter(id=made).update(state=state)
    return made


@pytest.mark.django_db
def test_a_job_that_waits_is_woken_itself_and_one_that_has_ended_or_runs_is_not():
    waiting = enqueue()
    others = [enqueue() for _ in range(4)]
    for job, state in zip(others, ("done", "skipped", "parked", "discarded"), strict=True):
        Job.objects.filter(id=job).update(state=state)
    running = enqueue()
    Job.objects.filter(id=running).update(state="running", lease_until=datetime.now(UTC))
    assert whom_to_wake(job_ids=[waiting, *others, running, "job_nobody"]) == {waiting: waiting}
    assert whom_to_wake(job_ids=[]) == {}


@pytest.mark.django_db
def test_a_job_whose_time_is_over_or_that_waits_for_a_later_try_wants_no_message():
    now = datetime.now(UTC)
    late, over, spent, later = enqueue(start_by=now + SECOND), enqueue(deadline_at=now + SECOND), enqueue(), enqueue()
    begun = enqueue(start_by=now + SECOND)
    assert set(whom_to_wake(job_ids=[late, over, spent, later, begun])) == {late, over, spent, later, begun}
    Job.objects.filter(id=late).update(start_by=now - SECOND)
    Job.objects.filter(id=begun).update(start_by=now - SECOND, attempts=1)
    Job.objects.filter(id=over).update(deadline_at=now - SECOND)
    Job.objects.filter(id=spent).update(attempts=3)
    Job.objects.filter(id=later).update(rung_at=None)
    assert whom_to_wake(job_ids=[late, over, spent, later, begun]) == {begun: begun}


@pytest.mark.django_db
def test_the_message_of_a_job_that_was_passed_over_wakes_the_newest_of_its_schedule():
    first, second, third = tick(1, "skipped"), tick(2, "skipped"), tick(3)
    assert whom_to_wake(job_ids=[first, second, third]) == {first: third, second: third, third: third}
    Job.objects.filter(id=third).update(state="done")
    assert whom_to_wake(job_ids=[first, second, third]) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("other", [{"task": "tests.other"}, {"queue": "fetch"}, {"source": "gdelt"}, {"tenant": "acme"}])
def test_a_schedule_that_does_other_work_now_inherits_no_place(other):
    old, new = tick(1, "skipped"), tick(2, **other)
    assert whom_to_wake(job_ids=[old, new]) == {new: new}


@pytest.mark.django_db
def test_jobs_without_a_schedule_have_no_heirs():
    old, new = enqueue(), enqueue()
    Job.objects.filter(id=old).update(state="skipped")
    assert whom_to_wake(job_ids=[old, new]) == {new: new}


@pytest.mark.django_db(transaction=True)
def test_both_questions_are_answered_by_indexes():
    ids = [f"job_{n:026d}" for n in range(1, 101)]
    plans = explained(FILL, {"now": SLOT}, {"wakes": (WAKES, {"ids": ids})})
    assert indexes_of(plans["wakes"]) == {"jobs_job_pkey", "one_job_per_slot"}
