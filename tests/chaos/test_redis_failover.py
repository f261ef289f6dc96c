"""The broker's master dies under load and a Sentinel's choice takes over: workers and web go on with it, no job is lost."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from apps.backups.embedded import free_port
from project.local.processes import web_command
from tests.chaos.queue_desk import IS_LONG, Load, QueueDesk, queue_desk, servers_of
from tests.chaos.queue_servers import QueueServers
from tests.integration.resilience.sentinel_world import SentinelWorld, sentinel_world, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600 if IS_LONG else 240)]
FAILOVERS = 4 if IS_LONG else 1
BACK_S_MAX = 60.0
AFTER_S = 5.0
KINDS = ("add_atomic", "add_plain", "add_batch")


class SentinelServers(QueueServers):
    """The PostgreSQL of the others, and a broker that is found through Sentinels."""

    def __init__(self, others: QueueServers, world: SentinelWorld) -> None:
        self.postgres = others.postgres
        self.world = world

    def addresses(self) -> dict[str, str]:
        """Return the variables that point at them."""
        return {"DATABASE_URL": self.postgres.dsn, "REDIS_URL": self.world.url}

    def redis(self) -> redis.Redis:
        """Return a client of whichever server is the master."""
        return self.world.client(self.world.master())


class Readiness:
    """Asks the web process again and again whether it is ready, and keeps when it said what."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.said: list[tuple[float, int]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)

    def __enter__(self) -> Readiness:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=30)

    def ready_after(self, moment_s: float) -> bool:
        """Whether it was not ready after the moment, and is by now."""
        later = [status for at_s, status in self.said if at_s > moment_s]
        return 503 in later and later[-1] == 200

    def status(self) -> int:
        """Return what it says now; 0 when it does not answer."""
        try:
            with urllib.request.urlopen(self.url, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as answer:
            answer.close()
            return answer.code
        except OSError:
            return 0

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            asked_s = time.time()
            self.said.append((asked_s, self.status()))


class WebDesk(QueueDesk):
    """A desk with a web process."""

    def start_web(self) -> Readiness:
        """Start it, wait until it is ready, and return who watches it."""
        port = free_port()
        self._launch("web", list(web_command(f"127.0.0.1:{port}")))
        readiness = Readiness(f"http://127.0.0.1:{port}/readyz")
        self.wait_for("the web process is ready", lambda: readiness.status() == 200)
        return readiness


@pytest.fixture
def world(tmp_path) -> Iterator[SentinelWorld]:
    folder = tmp_path / "sentinels"
    folder.mkdir()
    with sentinel_world(folder) as running:
        yield running


@pytest.fixture
def desk(request, tmp_path: Path, tmp_path_factory, world) -> Iterator[WebDesk]:
    others = servers_of(request, tmp_path_factory)
    with queue_desk(tmp_path, others):  # empties the tables
        given = WebDesk(tmp_path, SentinelServers(others, world))
        try:
            given.start_beat()
            given.start_worker("one", ["fetch"], concurrency=2)
            yield given
        finally:
            given.stop()


def test_a_master_that_dies_under_load_costs_seconds_and_no_job(desk, world):
    with desk.start_web() as readiness, desk.client() as client, Load(client, KINDS, every_s=0.05, work_s=0.02) as load:
        desk.wait_for("the first jobs are done", lambda: desk.states()["done"] >= 40)
        for _ in range(FAILOVERS):
            fail_over(desk, world, readiness)
            time.sleep(AFTER_S)
    desk.wait_for("every job is done", desk.is_drained, timeout_s=BACK_S_MAX)
    assert desk.faults.count("kill master") == FAILOVERS
    assert load.refused == []  # rows are the queue: a caller need not care for the broker
    assert len(load.accepted) >= 100
    assert desk.states() == {"done": len(load.accepted)}, desk.last_words()
    assert desk.effects.counts() == dict.fromkeys(load.accepted, 1), desk.effects.doubled()


def fail_over(desk: QueueDesk, world: SentinelWorld, readiness: Readiness) -> None:
    """Kill the master, wait until all is back, and let the dead one come back as the replica."""
    old = world.master()
    killed_s = time.time()
    world.kill(old)
    desk.faults.note(f"kill master {old}")
    wait_until(lambda: world.master() != old, "another master", seconds=BACK_S_MAX)
    elected_s = time.time() - killed_s
    desk.wait_for("jobs made after the kill are done", lambda: done_since(desk, killed_s) >= 20, timeout_s=BACK_S_MAX)
    worked_s = time.time() - killed_s
    desk.wait_for("the web process is ready", lambda: readiness.ready_after(killed_s), timeout_s=BACK_S_MAX)
    print(f"another master after {elected_s:.1f} s, 20 new jobs done after {worked_s:.1f} s")
    print(f"not ready for {unready_s(readiness, killed_s):.1f} s")
    world.start_server(old, replica_of=world.master())
    with world.client(old) as client:
        wait_until(lambda: client.info("replication")["master_link_status"] == "up", "the dead one follows")


def done_since(desk: QueueDesk, moment_s: float) -> int:
    """How many jobs that were made after the moment are done."""
    [(count,)] = desk.rows("SELECT count(*) FROM jobs_job WHERE state = 'done' AND made_at > to_timestamp(%s)", moment_s)
    return int(count)


def unready_s(readiness: Readiness, moment_s: float) -> float:
    """How long after the moment the web process last said that it is not ready."""
    return max(at_s for at_s, status in readiness.said if status != 200 and at_s > moment_s) - moment_s
