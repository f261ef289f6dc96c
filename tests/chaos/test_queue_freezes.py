"""A worker is frozen beyond its lease, and a wire to the broker swallows everything: nothing is done twice, nobody hangs."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from tests.chaos.queue_desk import QueueDesk, queue_desk, servers_of
from tests.chaos.queue_faults import DroppingProxy, send

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]
HELD_S_MAX = 10.0
CONSUMED_S_MAX = 30.0
WORK_S = 3.0
KINDS = {"add_atomic": 1, "add_plain": 2, "add_batch": 3}


@pytest.fixture
def desk(request, tmp_path, tmp_path_factory):
    with queue_desk(tmp_path, servers_of(request, tmp_path_factory)) as given:
        yield given


@pytest.fixture
def wire(request, tmp_path_factory) -> Iterator[DroppingProxy]:
    proxy = DroppingProxy(servers_of(request, tmp_path_factory).valkey.port)
    yield proxy
    proxy.close()


@pytest.fixture
def far_desk(request, tmp_path, tmp_path_factory, wire):
    with queue_desk(tmp_path, servers_of(request, tmp_path_factory), broker_port=wire.port) as given:
        yield given


def bodies(desk: QueueDesk, what: str, pids: tuple[int, ...]) -> set[int]:
    """Return the numbers whose body one of the processes has begun or ended."""
    return {number for note in desk.notes() if note.what == what and note.pid in pids for number in note.numbers}


def test_the_commit_of_a_worker_that_was_frozen_beyond_its_lease_is_refused(desk):
    numbers = set(KINDS.values())
    desk.start_beat()
    desk.start_worker("frozen", ["fetch"], concurrency=len(KINDS))
    frozen = desk.tree("frozen")
    with desk.client() as client:
        for kind, number in KINDS.items():
            client.enqueue(kind, [number], work_s=WORK_S)
    desk.wait_for("every body is under way", lambda: bodies(desk, "begin", frozen) == numbers)
    desk.faults.freeze("freeze worker", frozen)
    assert bodies(desk, "end", frozen) == set(), "frozen too late: the run proves nothing"

    desk.start_worker("other", ["fetch"], concurrency=len(KINDS))
    other = desk.tree("other")
    desk.wait_for("another worker has done it all", lambda: desk.states() == {"done": len(KINDS)}, timeout_s=60)
    done = desk.rows("SELECT id, state, attempts, fencing_token, finished_at FROM jobs_job ORDER BY id")
    for pid in frozen:
        send(pid, signal.SIGCONT)
    desk.wait_for("the frozen bodies came to their ends", lambda: bodies(desk, "end", frozen) >= {1, 3}, timeout_s=30)
    time.sleep(2)  # what they still want to commit, they commit now

    assert desk.faults.count("freeze") == 1
    assert desk.effects.counts() == dict.fromkeys(numbers, 1), desk.last_words()
    assert {row["pid"] for row in desk.effects.rows()} <= set(other)
    # The plain body's own transaction was refused, so it never came to its end.
    assert bodies(desk, "end", frozen) == {1, 3}
    assert desk.rows("SELECT id, state, attempts, fencing_token, finished_at FROM jobs_job ORDER BY id") == done


def test_a_wire_that_swallows_everything_is_noticed_and_consumed_again(far_desk, wire):
    desk = far_desk
    desk.start_beat()
    desk.start_worker("one", ["fetch"], concurrency=2)
    with desk.client() as client:
        client.enqueue("add_atomic", range(1, 11))
        desk.wait_for("the first jobs are done", lambda: desk.states() == {"done": 10})
        swallowed = wire.swallow_open()
        began_s = time.monotonic()
        if swallowed:
            desk.faults.note(f"swallow {swallowed} connections")
        for number in range(11, 21):
            client.enqueue("add_atomic", [number])
        desk.wait_for("consumed again", lambda: desk.states() == {"done": 20}, timeout_s=90)
        took_s = time.monotonic() - began_s
    print(f"consumed again {took_s:.1f} s after {swallowed} connections went deaf")
    assert desk.faults.count("swallow") == 1
    assert desk.effects.counts() == dict.fromkeys(range(1, 21), 1)
    assert took_s <= CONSUMED_S_MAX


def test_a_broker_that_never_answers_holds_no_caller_for_long(far_desk, wire):
    desk = far_desk
    with desk.client() as client:
        jobs = client.enqueue("add_atomic", [1, 2])
        wire.swallow_all()
        desk.faults.note("swallow everything")
        held = {
            "delay": client.ask("delay", kind="add_plain", number=100, queue="fetch")["held_s"],
            "ring": client.ask("ring", kind="add_atomic", job=jobs[1], queue="fetch")["held_s"],
            "enqueue": client.ask("enqueue", kind="add_atomic", numbers=[3], queue="fetch")["held_s"],
        }
        wire.heal()
        print({verb: round(seconds, 1) for verb, seconds in held.items()})
        assert max(held.values()) <= HELD_S_MAX, held
        assert max(held.values()) > 1, "nobody was held: the wire did not swallow"

    desk.start_beat()
    desk.start_worker("one", ["fetch"])
    desk.wait_for("what was accepted meanwhile is done", lambda: desk.states() == {"done": 3})
    assert desk.effects.counts() == {1: 1, 2: 1, 3: 1}
