"""Workers and their children are killed at random moments: every effect is there, once, and soon."""

from __future__ import annotations

import time

import pytest

from tests.chaos.queue_desk import IS_LONG, QueueDesk, queue_desk, servers_of
from tests.chaos.queue_effects import interrupted_by, percentile

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1500 if IS_LONG else 200)]
JOBS = 5_000 if IS_LONG else 600
KILLS = 50 if IS_LONG else 8
WORKERS = ("one", "two")
QUEUES = ("fetch",)
CHILDREN = 2
RETRY_S_MAX = 30.0
# With so many kills one row may be under way at three of them by chance, and would rightly be parked.
ATTEMPTS_MAX = 6
GOOD_BESIDE_POISON = 2_000 if IS_LONG else 200


@pytest.fixture
def desk(request, tmp_path, tmp_path_factory):
    with queue_desk(tmp_path, servers_of(request, tmp_path_factory)) as given:
        yield given


class Killer:
    """Kills a child, or a worker (the kernel takes its children along), and brings up a new one."""

    def __init__(self, desk: QueueDesk) -> None:
        self.desk = desk
        self.generation = dict.fromkeys(WORKERS, 0)

    def name(self, slot: str) -> str:
        return f"{slot}{self.generation[slot]}"

    def strike(self) -> None:
        chance = self.desk.faults.chance
        slot = chance.choice(self.wait_for_workers())
        time.sleep(chance.uniform(0, 0.4))
        name = self.name(slot)
        tree = self.desk.tree(name)
        if len(tree) > 1 and chance.random() < 0.6:
            self.desk.faults.kill("kill child", [chance.choice(tree[1:])])
        elif self.desk.faults.kill("kill worker", tree[:1], takes_along=tree[1:]):
            self.replace(slot)

    def wait_for_workers(self) -> list[str]:
        """Return the slots whose worker is up: a kill while both only start would meet nobody at work."""
        ready: list[str] = []

        def someone_works() -> bool:
            ready[:] = [slot for slot in WORKERS if " ready." in self.desk.log(self.name(slot))]
            return bool(ready)

        self.desk.wait_for("a worker is ready", someone_works)
        return ready

    def replace(self, slot: str) -> None:
        """Start the next worker, as a supervisor does."""
        self.desk.bury(self.name(slot))
        self.generation[slot] += 1
        self.desk.launch_worker(self.name(slot), QUEUES, concurrency=CHILDREN)

    def count(self) -> int:
        return self.desk.faults.count("kill")


def bring_up(desk: QueueDesk) -> Killer:
    killer = Killer(desk)
    desk.start_beat()
    for slot in WORKERS:
        desk.launch_worker(killer.name(slot), QUEUES, concurrency=CHILDREN)
    return killer


def strike_while_it_works(desk: QueueDesk, killer: Killer, *, jobs: int, kills: int) -> None:
    """Spread the kills over the work by its progress, or by the time when it stands still."""
    marks = sorted(desk.faults.chance.uniform(0.02, 0.85) * jobs for _ in range(kills))
    for mark in marks:
        waited_until_s = time.monotonic() + 4
        while sum(desk.effects.counts().values()) < mark and time.monotonic() < waited_until_s:
            time.sleep(0.05)
        killer.strike()


def test_every_effect_is_there_once_after_kills_at_random_moments(desk):
    half = JOBS // 2
    kinds = {
        "add_batch": range(1, half + 1),
        "add_atomic": range(half + 1, half + half // 2 + 1),
        "add_plain": range(half + half // 2 + 1, JOBS + 1),
    }
    with desk.client() as client:
        for kind, numbers in kinds.items():
            work_s = 0.01 if kind == "add_batch" else 0.2
            client.enqueue(kind, numbers, work_s=work_s, attempts_max=ATTEMPTS_MAX)
    killer = bring_up(desk)
    strike_while_it_works(desk, killer, jobs=JOBS, kills=KILLS)
    desk.wait_for("every job is done", desk.is_drained, timeout_s=180)

    assert killer.count() >= KILLS, desk.faults.done
    assert desk.states() == {"done": JOBS}, desk.last_words()
    for kind, numbers in kinds.items():
        assert desk.effects.counts(kind.removeprefix("add_")) == dict.fromkeys(numbers, 1), desk.last_words()
    interrupted = interrupted_by(desk.notes(), desk.faults.deaths())
    delays_s = [one.delay_s for one in interrupted]
    assert interrupted, "no kill met a body at work: the run proves nothing"
    print(
        f"{len(interrupted)} bodies interrupted by {killer.count()} kills, tried again after {percentile(delays_s, 0.99):.1f} s (p99)"
    )
    assert percentile(delays_s, 0.99) <= RETRY_S_MAX, delays_s


def test_a_poison_job_is_parked_under_fire_and_its_neighbours_are_all_done(desk):
    numbers = range(1, GOOD_BESIDE_POISON + 1)
    with desk.client() as client:
        poison = client.enqueue("die", [0])[0]
        client.enqueue("add_atomic", numbers, work_s=0.1)
    killer = bring_up(desk)
    strike_while_it_works(desk, killer, jobs=len(numbers), kills=3)
    desk.wait_for("nothing waits or runs", desk.is_drained, timeout_s=120)

    assert killer.count() >= 3, desk.faults.done
    assert desk.effects.counts() == dict.fromkeys(numbers, 1), desk.last_words()
    assert desk.states() == {"done": len(numbers), "parked": 1}, desk.last_words()
    [(attempts, reason)] = desk.rows("SELECT attempts, reason FROM jobs_job WHERE id = %s AND state = 'parked'", poison)
    assert attempts == 3
    assert reason != ""
    begun = [note for note in desk.notes() if note.numbers == (0,)]
    assert [note.what for note in begun] == ["begin"] * len(begun)
    assert 1 <= len(begun) <= 3  # a kill of ours may have come between its claim and its body
    assert "Failed to retry" not in desk.last_words(lines=100_000)  # the row comes back, nobody sends its message again
