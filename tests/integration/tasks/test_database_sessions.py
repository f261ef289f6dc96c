"""Workers and PostgreSQL: no session while a vendor takes its time, and sessions that are cut fail no job."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager

import pytest

from apps.monitoring.models import TaskFailure
from tests.integration.tasks import worker_world as world

pytestmark = pytest.mark.django_db(transaction=True)
OURS = "datname = current_database() AND application_name = 'bellwether-worker'"
SESSIONS = f"SELECT state, query FROM pg_stat_activity WHERE {OURS}"
CUT = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}"


@pytest.fixture(autouse=True)
def _clean(clean_redis, transactional_db):
    world.prepare()


@contextmanager
def silent_vendor():
    """Accept every caller and say nothing until told to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        callers = []

        def answer():
            server.setblocking(False)
            while True:
                try:
                    callers.append(server.accept()[0])
                except BlockingIOError:
                    break
            for caller in callers:
                caller.sendall(b"!")
                caller.close()

        yield server.getsockname()[1], answer


def test_a_worker_that_waits_for_a_vendor_holds_no_session(tmp_path):
    with silent_vendor() as (port, answer), world.worker(tmp_path) as worker:
        job_id = world.enqueue("clockwork.wait_on_network", name="slow", port=port)
        world.wait_until(lambda: world.marks("slow") != [], 30, worker.text)
        time.sleep(1.6)  # a short wait keeps its session; the lease is renewed five seconds after the start
        seen = []
        for _ in range(25):
            seen += world.query(SESSIONS)
            time.sleep(0.1)
        assert seen == []
        time.sleep(6)
        assert not [state for state, _ in world.query(SESSIONS) if state and state.startswith("idle in transaction")]
        assert world.job(job_id).state == "running"
        answer()
        world.wait_for_end(tell=worker.text)
    assert [note for _, note, _ in world.marks("slow")] == ["before", "after True"]
    assert world.job(job_id).attempts == 1


def test_between_tasks_a_child_keeps_its_one_session(tmp_path):
    with world.worker(tmp_path) as worker:
        world.enqueue("clockwork.mark", name="a")
        world.wait_for_end(tell=worker.text)
        (first,) = world.query(f"SELECT pid FROM pg_stat_activity WHERE {OURS}")
        for number in range(5):
            world.enqueue("clockwork.mark", name=f"{number}")
        world.wait_for_end(tell=worker.text)
        assert world.query(f"SELECT pid FROM pg_stat_activity WHERE {OURS}") == [first]


@pytest.mark.chaos
def test_every_session_cut_three_times_under_load_fails_no_job(tmp_path):
    with world.worker(tmp_path, concurrency=2) as worker:
        for number in range(300):
            world.enqueue("clockwork.mark_atomic", name=f"a{number}", work_s=0.02)
            world.enqueue("clockwork.mark_batch", name=f"b{number}")
        cut = 0
        for share in (50, 200, 350):
            world.wait_until(lambda: len(world.marks()) >= share, 60, worker.text)  # noqa: B023 - asked before the next
            world.wait_until(lambda: world.query(SESSIONS) != [], 20)
            cut += len(world.query(CUT))
        assert cut >= 3
        world.wait_for_end(120, tell=worker.text)
    assert world.states() == {"done": 600}
    assert TaskFailure.objects.count() == 0
    names = [name for name, _, _ in world.marks()]
    assert len(names) == len(set(names)) == 600
