"""Any order of claims, ends, silences and looks of the caretaker: PostgreSQL and a model of ten lines agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from apps.core import bell, ids
from apps.core.claims import StaleLease, backoff_s
from apps.jobs import batching
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.types import ClaimedJob
from tests.integration.jobs.jobs_world import BATCH, SINGLE, after, new

SCOPES = ("", "one", "two")


@dataclass
class Known:
    """What the model knows of a job; times are seconds since the start."""

    task: str
    scope: str
    state: str = "queued"
    attempts: int = 0
    due_s: float = 0.0
    lease_s: float = 0.0
    token: int = 0
    done: int = 0


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.known: dict[str, Known] = {}
        self.held: list[ClaimedJob] = []  # every claim that was ever given, stale ones too

    @initialize()
    def begin(self) -> None:
        Job.objects.all().delete()
        for task, scope in ((SINGLE, ""), (SINGLE, "one"), (BATCH, ""), (BATCH, "")):
            self.add(task, scope, due_s=0.0)
        for job_id in list(self.known)[:1]:
            self.try_to_claim(job_id)

    @property
    def now(self) -> datetime:
        return after(self.now_s)

    @rule(task=st.sampled_from([SINGLE, BATCH]), scope=st.sampled_from(SCOPES), later_s=st.sampled_from([0.0, 20.0]))
    def write_down(self, task: str, scope: str, later_s: float) -> None:
        self.add(task, "" if task == BATCH else scope, due_s=self.now_s + later_s)

    def add(self, task: str, scope: str, *, due_s: float) -> None:
        jobs.enqueue_many(jobs=[new(task, scope=scope, run_at=after(due_s))], now=self.now, by="model")
        (job_id,) = set(Job.objects.values_list("id", flat=True)) - set(self.known)
        self.known[job_id] = Known(task, scope, due_s=due_s)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def claim_one(self, data: st.DataObject) -> None:
        self.try_to_claim(data.draw(st.sampled_from(list(self.known))))

    def try_to_claim(self, job_id: str) -> None:
        job = self.known[job_id]
        given = jobs.claim(job_id=job_id, task=job.task, owner="single", now=self.now)
        if job.state != "queued":
            assert given == ("running" if job.state == "running" else "done")
        elif job.due_s > self.now_s:
            assert given == "not-due"
        elif job.scope and any(other.state == "running" for other in self.known.values() if other.scope == job.scope):
            assert given == "busy"
        else:
            assert isinstance(given, ClaimedJob)
            self.take(given)

    @precondition(lambda self: any((job.task, job.state) == (BATCH, "queued") for job in self.known.values()))
    @rule(limit=st.integers(1, 3))
    def claim_some(self, limit: int) -> None:
        due = [job for job in self.known.values() if (job.task, job.state) == (BATCH, "queued") and job.due_s <= self.now_s]
        fresh = [job for job in due if job.attempts == 0]
        given = jobs.claim_batch(task=BATCH, limit=limit, owner="batch", now=self.now)
        # A row that was tried comes alone: when it is due since before every fresh one, or when there are none of those.
        first_fresh_s = min((job.due_s for job in self.fresh_rows()), default=None)
        overdue = [job for job in due if job.attempts and first_fresh_s is not None and job.due_s < first_fresh_s]
        comes_alone = bool(overdue) or not fresh
        assert len(given) == (min(1, len(due)) if comes_alone else min(limit, len(fresh)))
        for claim in given:
            assert (self.known[claim.id].attempts > 0) is comes_alone
            self.take(claim)

    def fresh_rows(self) -> list[Known]:
        queued = [job for job in self.known.values() if (job.task, job.state) == (BATCH, "queued")]
        return [job for job in queued if not job.attempts]

    def take(self, claim: ClaimedJob) -> None:
        job = self.known[claim.id]
        assert (job.state, job.due_s <= self.now_s) == ("queued", True)
        job.state, job.attempts, job.token, job.lease_s = "running", job.attempts + 1, job.token + 1, self.now_s + 15
        assert (claim.attempts, claim.token) == (job.attempts, job.token)
        self.held.append(claim)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), deed=st.sampled_from(["finish", "fail", "postpone", "renew"]))
    def end(self, data: st.DataObject, deed: str) -> None:
        claim = data.draw(st.sampled_from(self.held))
        job = self.known[claim.id]
        act = {
            "finish": lambda: jobs.finish(claim=claim, now=self.now),
            "fail": lambda: jobs.fail(claim=claim, error=ValueError("x"), now=self.now),
            "postpone": lambda: jobs.postpone(claim=claim, wait_s=3, now=self.now),
            "renew": lambda: jobs.renew(claim=claim, now=self.now),
        }[deed]
        if (job.state, job.token) != ("running", claim.token):
            with pytest.raises(StaleLease):
                act()
            return
        act()
        self.note_end(job, deed)

    def note_end(self, job: Known, deed: str) -> None:
        if deed == "finish":
            job.state, job.done = "done", job.done + 1
        elif deed == "fail":
            job.state, job.due_s = ("parked" if job.attempts == 3 else "queued"), self.now_s + backoff_s(job.attempts)
        elif deed == "postpone":
            job.state, job.due_s, job.attempts = "queued", self.now_s + 3, job.attempts - 1
        else:
            job.lease_s = self.now_s + 15

    @rule(seconds=st.sampled_from([3.0, 9.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.now_s += seconds

    @precondition(lambda self: any(job.state == "running" for job in self.known.values()))
    @rule()
    def caretaker_looks(self) -> None:
        silent = [job for job in self.known.values() if job.state == "running" and job.lease_s <= self.now_s]
        found = jobs.reconcile(depths={}, now=self.now)
        assert found.freed + found.parked == len(silent)
        for job in silent:
            job.state = "parked" if job.attempts == 3 else "queued"

    @precondition(lambda self: any(job.state == "running" for job in self.known.values()))
    @rule()
    def all_workers_fall_silent(self) -> None:
        self.now_s += 16
        self.caretaker_looks()

    @precondition(lambda self: any(job.state == "parked" for job in self.known.values()))
    @rule()
    def somebody_replays(self) -> None:
        job_id, job = next((job_id, job) for job_id, job in self.known.items() if job.state == "parked")
        jobs.replay(job_id=job_id, by="olga", now=self.now)
        job.state, job.attempts, job.due_s = "queued", 0, self.now_s

    @invariant()
    def rows_and_model_agree(self) -> None:
        rows = {job.id: (job.state, job.attempts, job.fencing_token) for job in Job.objects.all()}
        assert rows == {job_id: (job.state, job.attempts, job.token) for job_id, job in self.known.items()}

    @invariant()
    def every_effect_is_there_at_most_once(self) -> None:
        assert all(job.done <= 1 for job in self.known.values())

    @invariant()
    def one_of_a_scope_runs(self) -> None:
        running = Counter(job.scope for job in Job.objects.filter(state="running").exclude(scope=""))
        assert all(count == 1 for count in running.values())


def test_claims_agree_with_the_model_whatever_happens(db, monkeypatch):
    monkeypatch.setattr(bell, "_send_all", lambda bells: None)
    # Hypothesis repeats what it found: the same steps must give the same ids.
    numbers = count()
    monkeypatch.setattr(ids, "fresh_entropy", lambda: next(numbers).to_bytes(10, "big"))
    monkeypatch.setattr(batching, "_tasks", lambda: {BATCH: SimpleNamespace(batch_size=100)})
    health = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    run_state_machine_as_test(
        Queue, settings=settings(max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=health)
    )
