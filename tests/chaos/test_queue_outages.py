"""Valkey and PostgreSQL die under load, Valkey forgets everything: whatever was accepted is done, once, within a minute."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest

from tests.chaos.queue_desk import IS_LONG, Load, QueueDesk, queue_desk, servers_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900 if IS_LONG else 200)]
OUTAGES = 5 if IS_LONG else 2
DOWN_S = 4.0 if IS_LONG else 2.0
BETWEEN_S = 8.0 if IS_LONG else 4.0
RECOVERED_S_MAX = 60.0
# In the long form two children fall behind what comes in, so that there is always a queue to lose.
EVERY_S, WORK_S = (0.02, 0.05) if IS_LONG else (0.02, 0.01)
KINDS = ("add_atomic", "add_plain", "add_batch")
TERMINATE = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'watcher'
"""


@pytest.fixture
def desk(request, tmp_path, tmp_path_factory):
    servers = servers_of(request, tmp_path_factory)
    with queue_desk(tmp_path, servers) as given:
        given.start_beat()
        given.start_worker("one", ["fetch"], concurrency=2)
        yield given


def under_load(desk: QueueDesk, strike: Callable[[], float], *, times: int) -> tuple[Load, list[float]]:
    """Strike so many times while jobs come in; return the load and the moments at which all was back."""
    backs_s = []
    with desk.client() as client, Load(client, KINDS, every_s=EVERY_S, work_s=WORK_S) as load:
        desk.wait_for("the first jobs are done", lambda: desk.states()["done"] >= 20)
        for _ in range(times):
            backs_s.append(strike())
            time.sleep(BETWEEN_S)
    return load, backs_s


def assert_all_recovered(desk: QueueDesk, load: Load, backs_s: list[float]) -> None:
    """Everything accepted is done once, and what was accepted before a return was done within the minute after it."""
    desk.wait_for("every job is done", desk.is_drained, timeout_s=RECOVERED_S_MAX + 30)
    counts = desk.effects.counts()
    done = {kwargs["number"] for (kwargs,) in desk.rows("SELECT kwargs FROM jobs_job WHERE state = 'done'")}
    assert len(load.accepted) >= 50, load.refused
    assert set(load.accepted) <= done, desk.last_words()
    assert desk.states() == {"done": len(done)}, desk.last_words()
    # A caller that was refused may still have been heard: what it asked for is a row then, and done like the others.
    assert counts == dict.fromkeys(done, 1), desk.effects.doubled()
    for back_s in backs_s:
        [(late_s,)] = desk.rows(
            "SELECT coalesce(extract(epoch FROM max(finished_at)) - %s, 0) FROM jobs_job"
            " WHERE made_at <= to_timestamp(%s) AND finished_at > to_timestamp(%s)",
            *(back_s, back_s, back_s),
        )
        print(f"all that was accepted before the return was done {float(late_s):.1f} s after it")
        assert float(late_s) <= RECOVERED_S_MAX


def test_a_broker_that_dies_and_comes_back_empty_loses_no_job(desk):
    def strike() -> float:
        desk.faults.note("kill valkey", desk.servers.kill_valkey())
        time.sleep(DOWN_S)
        desk.servers.start_valkey()
        with desk.servers.redis() as broker:
            assert broker.dbsize() < 50  # empty but for what came in since
        return time.time()

    load, backs_s = under_load(desk, strike, times=OUTAGES)
    assert desk.faults.count("kill valkey") == OUTAGES
    assert load.refused == []  # rows are the queue: a caller need not care for the broker
    assert_all_recovered(desk, load, backs_s)


def test_a_database_that_dies_loses_no_job(desk):
    def strike() -> float:
        desk.faults.note("kill postgres", desk.servers.kill_postgres())
        time.sleep(DOWN_S)
        desk.servers.start_postgres()
        return time.time()

    load, backs_s = under_load(desk, strike, times=OUTAGES)
    assert desk.faults.count("kill postgres") == OUTAGES
    assert load.refused != []  # without rows nothing is promised
    assert_all_recovered(desk, load, backs_s)


def test_ending_every_session_three_times_fails_no_job(desk):
    def strike() -> float:
        with psycopg.connect(desk.servers.postgres.dsn, autocommit=True, application_name="watcher") as connection:
            [(ended,)] = connection.execute(TERMINATE).fetchall()
        if ended:
            desk.faults.note(f"end {ended} sessions")
        return time.time()

    load, backs_s = under_load(desk, strike, times=3)
    assert desk.faults.count("end") == 3
    assert_all_recovered(desk, load, backs_s)
    # Whose session was ended comes again without losing an attempt, and says why only until then.
    assert desk.rows("SELECT id, attempts, reason FROM jobs_job WHERE attempts <> 1 OR reason <> ''") == []
