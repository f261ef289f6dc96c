"""An hour of ticks that come faster than the slots of their source, on a clock that jumps: no slot goes to a job that has ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from apps.resilience import MemoryPaced, MemoryStore, Pace, PacedItem, PacedQueue
from apps.resilience.testing import FakeClock
from tasks.letters import Letter, heirs_of, jobs_of, read_letter

BOOKS, SOURCE = "tasks.ingest.books", "reddit"
LOOK_S = 0.25


@dataclass
class Desk:
    """Schedules whose newest job supersedes the one before, and a mover. A job is its schedule's name and a number."""

    per_minute: int
    clock: FakeClock = field(default_factory=FakeClock)
    newest: dict[str, str] = field(default_factory=dict)
    live: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    first_s: float = -1.0  # after how long the first live job came; below zero: none has

    def __post_init__(self) -> None:
        self.queue = PacedQueue(MemoryPaced(MemoryStore(self.clock)))
        self.began_s = self.clock.now_s()

    def tick(self, schedule: str, number: int) -> None:
        job = f"job_{schedule}_{number}"
        self.newest[schedule] = job
        text = Letter(task=BOOKS, id=job, kwargs={}, headers={"job": job})
        item = PacedItem(id=text.name, source=SOURCE, body=text.as_text())
        if self.queue.offer(item, Pace.per_minute(self.per_minute)).goes_now:
            self.begin(job)

    def begin(self, job: str) -> None:
        schedule = job.split("_")[1]
        if self.newest.get(schedule) != job:
            self.dead[schedule] += 1
            return
        del self.newest[schedule]  # it runs
        self.live[schedule] += 1
        if self.first_s < 0:
            self.first_s = self.clock.now_s() - self.began_s

    def wakes(self, jobs: list[str]) -> dict[str, str]:
        return {job: self.newest[name] for job in jobs if (name := job.split("_")[1]) in self.newest}

    def move(self) -> None:
        """Do what the mover does, with the rows of this desk."""
        while True:
            ahead = self.queue.peek(SOURCE, 10).ahead
            letters = {found.id: read_letter(found.body) for found in ahead}
            heirs = heirs_of(letters, self.wakes(jobs_of(list(letters.values()))))
            if not self.queue.pass_on(SOURCE, heirs):
                break
        popped = self.queue.pop(SOURCE, len(ahead)).popped
        self.queue.landed(SOURCE, [found.id for found in popped])
        for found in popped:
            self.begin(found.id.removeprefix("job "))

    def run(self, hours: float, **every_s: float) -> None:
        """Let the schedules tick, each so often, and the mover look four times a second."""
        for step in range(int(hours * 3600 / LOOK_S)):
            for schedule, interval_s in every_s.items():
                if (step * LOOK_S) % interval_s == 0:
                    self.tick(schedule, step)
            self.move()
            self.clock.advance(LOOK_S)


@pytest.mark.parametrize("per_minute", [1, 2, 3])
def test_every_slot_reaches_a_live_job_though_ticks_come_faster(per_minute):
    desk = Desk(per_minute)
    desk.run(1, tick=15)
    assert desk.dead.total() == 0
    assert per_minute * 60 - 2 <= desk.live.total() <= per_minute * 60 + Pace.per_minute(per_minute).burst
    assert sum(line.count for line in desk.queue.waiting()) <= 1


def test_a_schedule_that_ticks_often_is_not_sent_to_the_end_of_the_line_each_time():
    desk = Desk(3)
    desk.run(1, often=5, b=60, c=60, d=60)
    assert desk.dead.total() == 0
    # Four share three slots a minute. At the end of the line each time, the first would get what the others leave: nothing.
    assert desk.live["often"] >= 45
    assert min(desk.live[name] for name in "bcd") >= 29
    assert desk.live.total() >= 178


def test_of_schedules_that_tick_together_none_is_always_the_last():
    desk = Desk(3)
    desk.run(1, a=15, b=15, c=15, d=15, e=15)
    assert desk.dead.total() == 0
    assert len(desk.live) == 5
    assert all(35 <= count <= 38 for count in desk.live.values()), desk.live


def test_what_an_outage_left_behind_takes_no_slot_from_the_first_live_job():
    desk = Desk(20)
    for number in range(-240, 0):
        desk.tick("tick", number)
    desk.live.clear()
    desk.dead.clear()
    desk.newest.clear()
    desk.clock.advance(3600)
    desk.began_s, desk.first_s = desk.clock.now_s(), -1.0
    desk.run(0.1, tick=15)
    assert (desk.first_s, desk.dead.total()) == (0.0, 0)
    assert desk.live.total() == 24
    assert desk.queue.waiting() == []
