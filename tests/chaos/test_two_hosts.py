"""Workers on two hosts against one PostgreSQL and one Valkey; the network of one is cut in the middle of the work."""

from __future__ import annotations

import time

import psycopg
import pytest

from tests.chaos.hosts_desk import POSTGRES_PORT, HostedDesk, hosted_desk
from tests.chaos.hosts_on_a_bridge import HUB_ADDRESS, Host, why_not
from tests.chaos.queue_desk import IS_LONG, Client, Load

REASON = why_not()
pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(600 if IS_LONG else 240),
    pytest.mark.skipif(bool(REASON), reason=REASON),
]
CUT_S = 30.0 if IS_LONG else 25.0  # longer than a lease and the work itself, so that the others must take over
BEFORE_DONE = 60
AFTER_S = 10.0
LONG_FROM, LONG_EACH, LONG_S = 1_000_000, 2, 6.0  # numbers and length of the work that the cut interrupts
ENDED_S_MAX = 60.0
KINDS = ("add_atomic", "add_plain", "add_batch")


@pytest.fixture
def desk(tmp_path):
    with hosted_desk(tmp_path, "left", "right") as given:
        for host in given.network.hosts:
            given.put(f"worker-{host.name}", host)
            given.put(f"beat-{host.name}", host)
            given.launch_worker(f"worker-{host.name}", ["fetch"], concurrency=2)
            given.start_beat(f"beat-{host.name}")
        for host in given.network.hosts:
            given.wait_for_worker(f"worker-{host.name}")
        yield given


def test_a_host_whose_network_is_cut_loses_nothing_and_does_nothing_twice(desk: HostedDesk):
    left, right = desk.network.hosts
    with desk.client() as client, Load(client, KINDS, every_s=0.08, work_s=0.02) as load:
        desk.wait_for("both hosts work", lambda: min(_done_by(desk, left), _done_by(desk, right)) >= BEFORE_DONE / 2)
        long_ones = _hold_long_work(desk, client, right)
        desk.network.cut(right)
        cut_at_s = time.time()
        assert _can_reach_postgres(left)
        assert not _can_reach_postgres(right)
        desk.faults.note("cut right")
        held = _held_by(desk, right)
        done_by_left, done_by_right = _done_by(desk, left), _done_by(desk, right)
        time.sleep(max(0.0, CUT_S - (time.time() - cut_at_s)))
        assert not _can_reach_postgres(right)
        sessions = _sessions_of(desk, right)
        still_held = set(held) & set(_held_by(desk, right))
        assert _done_by(desk, right) == done_by_right
        assert _done_by(desk, left) > done_by_left + 50
        desk.network.heal(right)
        healed_at_s = time.time()
        desk.wait_for("the host works again", lambda: _done_by(desk, right) > done_by_right, timeout_s=ENDED_S_MAX)
        back_s = time.time() - healed_at_s
        time.sleep(AFTER_S)
    desk.wait_for("every job is done", desk.is_drained, timeout_s=ENDED_S_MAX)
    print(f"{len(load.accepted)} jobs, cut for {healed_at_s - cut_at_s:.1f} s, {len(held)} held by the host that was cut off")
    print(f"taken over {_taken_over_s(desk, held, cut_at_s):.1f} s after the cut; at work again {back_s:.1f} s after its end")
    assert desk.faults.count("cut") == 1
    assert held != []  # else the cut hit nothing
    assert still_held == set()  # what it held was taken over while it was cut off
    assert sessions == 0  # the server gave its sessions up, and with them their locks
    assert load.refused == []
    assert len(load.accepted) >= 300
    accepted = [*load.accepted, *long_ones]
    assert desk.states() == {"done": len(accepted)}, desk.last_words()
    assert desk.effects.counts() == dict.fromkeys(accepted, 1), desk.effects.doubled()


def _hold_long_work(desk: HostedDesk, client: Client, host: Host) -> list[int]:
    """Enqueue work that takes long, and return its numbers once the host holds some of it."""
    numbers = list(range(LONG_FROM, LONG_FROM + 2 * LONG_EACH))
    client.enqueue("add_atomic", numbers[:LONG_EACH], work_s=LONG_S)
    client.enqueue("add_plain", numbers[LONG_EACH:], work_s=LONG_S)
    desk.wait_for("the host holds long work", lambda: _held_by(desk, host))
    return numbers


def _done_by(desk: HostedDesk, host: Host) -> int:
    """How many effects this host's children left."""
    pids = {note.pid for note in desk.notes()} & set(desk.tree(f"worker-{host.name}"))
    return sum(row["pid"] in pids for row in desk.effects.rows())


def _held_by(desk: HostedDesk, host: Host) -> list[int]:
    """The numbers of the long jobs that run on this host."""
    rows = desk.rows(
        "SELECT (kwargs ->> 'number')::int FROM jobs_job WHERE state = 'running' AND lease_owner LIKE %s",
        f"%worker-{host.name}@%",
    )
    return [number for (number,) in rows if number >= LONG_FROM]


def _taken_over_s(desk: HostedDesk, held: list[int], cut_at_s: float) -> float:
    """When the last of the jobs was begun anew elsewhere, in seconds after the cut."""
    [(begun_s,)] = desk.rows(
        "SELECT extract(epoch FROM max(started_at)) FROM jobs_job WHERE (kwargs ->> 'number')::int = ANY(%s)", held
    )
    return float(begun_s) - cut_at_s


def _sessions_of(desk: HostedDesk, host: Host) -> int:
    [(count,)] = desk.rows("SELECT count(*) FROM pg_stat_activity WHERE client_addr = %s::inet", host.address)
    return int(count)


def _can_reach_postgres(host: Host) -> bool:
    def knock() -> bool:
        try:
            psycopg.connect(host=HUB_ADDRESS, port=POSTGRES_PORT, user="nobody", password="x", connect_timeout=2).close()
        except psycopg.OperationalError as refusal:
            return "password authentication failed" in str(refusal)
        return True

    return host.run(knock)
