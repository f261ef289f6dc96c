"""The life of a job: which moves there are, who may be claimed, and what becomes of a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.jobs import states
from apps.jobs.errors import IllegalMove
from apps.jobs.states import Standing, refusal_of
from apps.jobs.types import JOB_STATES, JobState

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
moments = st.none() | st.integers(-100, 100).map(lambda seconds: NOW + timedelta(seconds=seconds))
standings = st.builds(
    Standing,
    state=st.sampled_from(JOB_STATES),
    task=st.sampled_from(["a", "b"]),
    attempts=st.integers(0, 4),
    attempts_max=st.integers(1, 4),
    next_try_at=moments,
    start_by=moments,
    deadline_at=moments,
)


def good(**changes) -> Standing:
    values = {"state": "queued", "task": "a", "attempts": 0, "attempts_max": 3, "next_try_at": NOW}
    return Standing(**{**values, "start_by": None, "deadline_at": None, **changes})


def test_every_state_has_its_moves_and_three_are_ends():
    assert set(states.NEXT) == set(JOB_STATES)
    assert sorted(state for state, following in states.NEXT.items() if not following) == ["discarded", "done", "skipped"]
    assert set(states.UNFINISHED) | set(states.FINISHED) == set(JOB_STATES)
    assert set(states.FORGETTABLE) == set(states.FINISHED) - {"parked"}


@given(st.sampled_from(JOB_STATES), st.sampled_from(JOB_STATES))
def test_a_move_that_is_not_in_the_table_is_refused(present, to):
    if to in states.NEXT[present]:
        assert states.moved(present, to) == to
    else:
        with pytest.raises(IllegalMove):
            states.moved(present, to)


def test_no_job_comes_back_from_an_end_and_every_state_is_reached():
    reached: set[JobState] = set()
    waiting: list[JobState] = ["queued"]
    while waiting:
        state = waiting.pop()
        if state not in reached:
            reached.add(state)
            waiting.extend(states.NEXT[state])
    assert reached == set(JOB_STATES)


def test_a_due_job_may_be_claimed():
    assert refusal_of(good(), task="a", now=NOW) is None


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"task": "other"}, "forged"),
        ({"state": "running"}, "running"),
        ({"state": "done"}, "done"),
        ({"state": "skipped"}, "done"),
        ({"state": "parked"}, "done"),
        ({"state": "discarded"}, "done"),
        ({"attempts": 3}, "parked"),
        ({"deadline_at": NOW}, "parked"),
        ({"start_by": NOW - timedelta(seconds=1)}, "late"),
        ({"start_by": NOW}, None),
        ({"start_by": NOW - timedelta(seconds=1), "attempts": 1}, None),
        ({"next_try_at": NOW + timedelta(seconds=1)}, "not-due"),
        ({"next_try_at": NOW}, None),
        # A job that nobody may run any more is ended even before its next try.
        ({"next_try_at": NOW + timedelta(seconds=9), "deadline_at": NOW}, "parked"),
    ],
)
def test_why_a_claim_is_not_given(changes, refusal):
    assert refusal_of(good(**changes), task="a", now=NOW) == refusal


@given(standings)
def test_a_claim_is_given_only_to_a_queued_due_job_with_attempts_and_time_left(job):
    refusal = refusal_of(job, task="a", now=NOW)
    if refusal is None:
        assert (job.state, job.task) == ("queued", "a")
        assert job.attempts < job.attempts_max
        assert job.deadline_at is None or job.deadline_at > NOW
        assert job.next_try_at is None or job.next_try_at <= NOW
        assert job.start_by is None or job.start_by >= NOW or job.attempts > 0
    if job.task != "a":
        assert refusal == "forged"


@given(standings)
def test_only_a_queued_job_is_moved_by_a_refusal(job):
    if refusal_of(job, task=job.task, now=NOW) in ("late", "parked"):
        assert job.state == "queued"


def test_a_job_out_of_attempts_or_time_says_which():
    assert states.why_parked(good(attempts=3)) == states.ATTEMPTS_USED_UP
    assert states.why_parked(good(deadline_at=NOW)) == states.DEADLINE_PASSED


def tries(attempts, *, deadline_s=None, retry_after_s=None):
    deadline_at = None if deadline_s is None else NOW + timedelta(seconds=deadline_s)
    at = states.next_try(attempts=attempts, attempts_max=3, deadline_at=deadline_at, now=NOW, retry_after_s=retry_after_s)
    return None if at is None else (at - NOW).total_seconds()


def test_a_failure_waits_two_then_four_seconds_and_then_parks():
    assert [tries(attempts) for attempts in (1, 2, 3, 4)] == [2, 4, None, None]


def test_a_failure_waits_as_long_as_the_other_side_asks():
    assert (tries(1, retry_after_s=60), tries(1, retry_after_s=0), tries(1, retry_after_s=-5)) == (60, 0, 0)


def test_a_try_that_would_miss_the_deadline_parks():
    assert (tries(1, deadline_s=3), tries(1, deadline_s=2), tries(1, deadline_s=60, retry_after_s=60)) == (2, None, None)
