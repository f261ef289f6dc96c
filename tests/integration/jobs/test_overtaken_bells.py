"""In a queue that is never empty a lost bell is found by the order of what has been begun."""

from __future__ import annotations

import random
from collections import deque

import pytest

from apps.jobs import services as jobs
from apps.jobs.types import ClaimedJob
from tests.integration.jobs.jobs_world import BATCH, QUEUE, SINGLE, after, claim, claim_batch, enqueue

pytestmark = pytest.mark.django_db(transaction=True)
FULL = {QUEUE: 500}


def look(seconds, depths=FULL):
    return jobs.reconcile(depths=depths, now=after(seconds)).rerung


def test_a_job_that_waits_while_one_made_much_later_was_begun_is_rung_for_first_and_once(bells):
    lost, later = enqueue(), enqueue(now=after(6))
    assert look(10) == 0
    held = claim(later, now=after(10))
    bells.clear()
    assert look(11) == 1
    assert [(bell.job_id, bell.goes_first) for bell in bells] == [(lost, True)]
    jobs.finish(claim=held, now=after(12))
    assert [look(seconds) for seconds in (12, 17, 30)] == [0, 0, 0]


def test_one_that_is_done_tells_as_much_for_two_seconds(bells):
    enqueue()
    jobs.finish(claim=claim(enqueue(now=after(6)), now=after(10)), now=after(11))
    assert look(14) == 0
    jobs.finish(claim=claim(enqueue(now=after(7)), now=after(10)), now=after(13))
    assert look(14) == 1


def test_each_job_that_was_overtaken_is_rung_for_and_no_other(bells):
    lost = {enqueue(now=after(second)) for second in (0, 1, 2)}
    enqueue(now=after(2.1))
    claim(enqueue(now=after(7)), now=after(12))
    bells.clear()
    assert look(12) == 3
    assert {bell.job_id for bell in bells} == lost


@pytest.mark.parametrize(
    "begun",
    [
        {"now": after(4.9)},
        {"now": after(6), "queue": "fetch"},
        {"now": after(6), "source": "newsapi"},
        {"now": after(6), "run_at": after(7)},
    ],
    ids=["made soon after it", "of another queue", "of a source", "rung for when its time came"],
)
def test_what_tells_nothing_of_the_order_rings_for_nobody(bells, begun):
    enqueue()
    other = enqueue(**begun)
    look(7)
    claim(other, now=after(10))
    assert look(11) == 0


def test_a_job_that_was_rung_for_twice_tells_nothing(bells):
    enqueue(now=after(4))
    twice = enqueue(now=after(10), priority=1)
    assert look(15, depths={QUEUE: 1}) == 1  # more jobs than messages: the important one is rung for again
    claim(twice, now=after(16))
    assert look(17) == 0


def test_a_row_of_a_batch_tells_nothing(bells):
    enqueue()
    enqueue(BATCH, now=after(6))
    assert len(claim_batch(now=after(10))) == 1
    assert look(11) == 0


def test_a_job_of_a_source_is_overtaken_by_nobody(bells):
    enqueue(source="newsapi")
    claim(enqueue(now=after(6)), now=after(10))
    assert look(11) == 0


class Queue:
    """A queue of messages, a second at a time: five jobs come, four messages are taken, the caretaker looks."""

    def __init__(self, bells, *, loss: float) -> None:
        self.bells, self.loss = bells, loss
        self.chance = random.Random(4)
        self.messages: deque[str] = deque()
        self.made_s: dict[str, int] = {}
        self.begun_s: dict[str, int] = {}
        self.lost: set[str] = set()
        self.refused = self.rerung = 0

    def run(self, seconds: int) -> None:
        for second in range(seconds):
            for _ in range(5 if second < seconds / 2 else 2):
                self.made_s[enqueue(now=after(second))] = second
            self.publish()
            for _ in range(4):
                self.take(second)
            self.rerung += look(second, depths={QUEUE: len(self.messages)})
            self.publish(is_sure=True)

    def publish(self, *, is_sure: bool = False) -> None:
        for bell in self.bells:
            if not is_sure and self.chance.random() < self.loss:
                self.lost.add(bell.job_id)
            elif bell.goes_first:
                self.messages.appendleft(bell.job_id)
            else:
                self.messages.append(bell.job_id)
        self.bells.clear()

    def take(self, second: int) -> None:
        if self.messages:
            job_id = self.messages.popleft()
            held = jobs.claim(job_id=job_id, task=SINGLE, owner="w", now=after(second))
            if isinstance(held, ClaimedJob):
                self.begun_s[job_id] = second
                jobs.finish(claim=held, now=after(second + 0.5))
            self.refused += not isinstance(held, ClaimedJob)


def test_without_a_loss_no_bell_of_a_full_queue_is_rung_twice(bells):
    queue = Queue(bells, loss=0)
    queue.run(50)
    assert (queue.rerung, queue.refused) == (0, 0)
    assert max(queue.begun_s[job_id] - made_s for job_id, made_s in queue.made_s.items() if job_id in queue.begun_s) > 5


def test_a_lost_bell_costs_some_seconds_beyond_its_turn_and_a_full_queue_few_doubles(bells):
    queue = Queue(bells, loss=0.1)
    queue.run(50)
    turn_s: dict[int, int] = {}
    for job_id, made_s in queue.made_s.items():
        if job_id not in queue.lost and job_id in queue.begun_s:
            turn_s.setdefault(made_s, queue.begun_s[job_id])
    waits_s = [queue.begun_s[job_id] - turn_s[queue.made_s[job_id] + 6] for job_id in queue.lost if queue.made_s[job_id] < 30]
    assert len(waits_s) > 10
    assert max(waits_s) <= 3
    assert queue.refused <= len(queue.lost)
