"""Who gets a job: one of many, and only while it may be had."""

from __future__ import annotations

import pytest

from apps.core.claims import StaleLease
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.types import ClaimedJob
from tests.integration.jobs.jobs_world import (
    BATCH,
    NOW,
    SINGLE,
    after,
    at_once,
    claim,
    claim_batch,
    enqueue,
    enqueue_batch,
    fail_until_parked,
    refused,
    row,
    states,
)  # fmt: skip


def test_a_claim_carries_the_rows_arguments_and_counts_the_attempt(db, bells):
    job_id = enqueue(kwargs={"market_id": "mkt_2"}, tenant="tnt_1", source="newsapi", deadline_at=after(60))
    held = claim(job_id)
    assert (held.id, held.token, held.attempts, held.kwargs) == (job_id, 1, 1, {"market_id": "mkt_2"})
    assert (held.tenant, held.source, held.deadline_at, held.queue, held.attempts_max) == (
        "tnt_1",
        "newsapi",
        after(60),
        "upkeep",
        3,
    )
    job = row(job_id)
    assert (job.state, job.attempts, job.lease_owner, job.lease_until, job.started_at) == (
        "running",
        1,
        "worker-1",
        after(15),
        NOW,
    )


def test_the_common_claim_is_one_statement(db, bells, django_assert_num_queries):
    job_id = enqueue()
    with django_assert_num_queries(1):
        claim(job_id)


def test_an_unknown_job_and_a_job_of_another_task_are_refused_and_nothing_happens(db, bells):
    job_id = enqueue()
    assert refused("job_none") == "unknown"
    assert refused(job_id, task="tasks.backup.take") == "forged"
    assert (row(job_id).state, row(job_id).attempts) == ("queued", 0)


def test_a_job_that_runs_or_is_done_is_not_given_again(db, bells):
    job_id = enqueue()
    held = claim(job_id)
    assert refused(job_id) == "running"
    jobs.finish(claim=held, now=NOW)
    assert refused(job_id) == "done"
    assert (row(job_id).attempts, row(job_id).fencing_token) == (1, 1)


def test_a_job_whose_time_has_not_come_is_refused_and_stays(db, bells):
    job_id = enqueue(run_at=after(10))
    assert refused(job_id, now=after(9)) == "not-due"
    assert row(job_id).state == "queued"
    assert claim(job_id, now=after(10)).attempts == 1


def test_a_job_that_was_not_begun_in_time_is_skipped(db, bells):
    job_id = enqueue(start_by=after(5))
    assert refused(job_id, now=after(6)) == "late"
    job = row(job_id)
    assert (job.state, job.reason, job.finished_at, job.attempts) == ("skipped", "too late", after(6), 0)


def test_a_job_that_was_begun_in_time_may_be_begun_again_later(db, bells):
    job_id = enqueue(start_by=after(5))
    jobs.fail(claim=claim(job_id), error=ValueError("x"), now=NOW)
    assert claim(job_id, now=after(10)).attempts == 2


def test_a_job_past_its_deadline_is_parked_without_a_run(db, bells):
    job_id = enqueue(deadline_at=after(5))
    assert refused(job_id, now=after(5)) == "parked"
    job = row(job_id)
    assert (job.state, job.reason, job.attempts) == ("parked", "its deadline passed", 0)


def test_a_job_without_attempts_left_is_parked_without_a_run(db, bells):
    job_id = enqueue()
    Job.objects.filter(id=job_id).update(attempts=3)
    assert refused(job_id) == "parked"
    assert (row(job_id).state, row(job_id).reason, row(job_id).attempts) == ("parked", "its attempts are used up", 3)


def test_a_parked_job_is_not_given(db, bells):
    job_id = enqueue()
    fail_until_parked(job_id)
    assert refused(job_id, now=after(1000)) == "done"


@pytest.mark.django_db(transaction=True)
def test_of_twelve_workers_one_gets_the_job(bells):
    job_id = enqueue()
    answers = at_once(12, lambda n: jobs.claim(job_id=job_id, task=SINGLE, owner=f"worker-{n}", now=NOW))
    winners = [answer for answer in answers if isinstance(answer, ClaimedJob)]
    assert (len(winners), answers.count("running")) == (1, 11)
    assert (row(job_id).attempts, row(job_id).fencing_token) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_of_twelve_jobs_of_one_scope_claimed_at_once_one_runs(bells):
    ids = [enqueue(scope="one") for _ in range(12)]
    answers = at_once(12, lambda n: jobs.claim(job_id=ids[n], task=SINGLE, owner=f"worker-{n}", now=NOW))
    assert [type(answer) for answer in answers].count(ClaimedJob) == 1
    assert (answers.count("busy"), states()) == (11, {"running": 1, "queued": 11})


def test_a_batch_is_taken_in_one_statement_the_longest_due_first(db, bells, django_assert_num_queries):
    later = enqueue_batch(3, now=after(1))
    earlier = set(enqueue_batch(3)) - set(later)
    with django_assert_num_queries(1):
        held = claim_batch(limit=3, now=after(2))
    assert {one.id for one in held} == earlier
    assert {(one.attempts, one.token, one.task) for one in held} == {(1, 1, BATCH)}
    assert {one.id for one in claim_batch(now=after(2))} == set(later)
    assert claim_batch(now=after(2)) == []


def test_a_batch_leaves_what_is_not_due_too_late_or_out_of_time(db, bells):
    for fields in ({"run_at": after(10)}, {"start_by": after(-1)}, {"deadline_at": NOW}):
        enqueue(BATCH, **fields)
    due = enqueue(BATCH)
    assert [one.id for one in claim_batch()] == [due]
    assert states() == {"running": 1, "queued": 3}


def test_a_row_that_was_tried_before_comes_alone_and_after_the_fresh_ones(db, bells):
    ids = enqueue_batch(5)
    Job.objects.filter(id__in=ids[:2]).update(attempts=1)
    assert sorted(one.id for one in claim_batch()) == ids[2:]
    alone = [claim_batch() for _ in range(3)]
    assert [[one.attempts for one in held] for held in alone] == [[2], [2], []]
    assert sorted(held[0].id for held in alone[:2]) == ids[:2]


def test_a_poison_row_takes_its_neighbours_down_once_and_never_again(db, bells):
    ids = enqueue_batch(20)
    poison, done = ids[7], []
    at = NOW
    for _ in range(40):
        held = claim_batch(now=at)
        if not held:
            break
        if poison in {one.id for one in held}:
            at = after((at - NOW).total_seconds() + 16)  # the worker is gone; the lease runs out
            jobs.reconcile(depths={}, now=at)
        else:
            done += [one.id for one in held]
            for one in held:
                jobs.finish(claim=one, now=at)
    assert sorted(done) == sorted(set(ids) - {poison})
    assert (row(poison).state, row(poison).attempts) == ("parked", 3)
    assert sorted(Job.objects.filter(state="done").values_list("attempts", flat=True)) == [2] * 19


@pytest.mark.django_db(transaction=True)
def test_eight_workers_share_a_thousand_rows_without_overlap(bells):
    enqueue_batch(1000)

    def drain(number: int) -> list[str]:
        taken: list[str] = []
        while held := claim_batch(limit=30, owner=f"worker-{number}"):
            taken += [one.id for one in held]
        return taken

    shares = at_once(8, drain)
    taken = [job_id for share in shares for job_id in share]
    assert (len(taken), len(set(taken))) == (1000, 1000)
    assert set(Job.objects.values_list("state", "attempts", "fencing_token")) == {("running", 1, 1)}


def test_a_lease_is_renewed_for_another_fifteen_seconds(db, bells):
    held = claim(enqueue())
    jobs.renew(claim=held, now=after(5))
    assert row(held.id).lease_until == after(20)


def test_a_stale_claim_is_not_renewed_and_neither_are_its_neighbours(db, bells):
    enqueue_batch(3)
    held = claim_batch()
    Job.objects.filter(id=held[1].id).update(fencing_token=9)
    with pytest.raises(StaleLease, match="1 of 3 claims are stale"):
        jobs.renew_batch(claims=held, now=after(5))
    assert set(Job.objects.values_list("lease_until", flat=True)) == {after(15)}
