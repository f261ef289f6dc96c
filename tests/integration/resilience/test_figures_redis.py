"""The figures of many processes in Redis: as in memory, once each, and there after a process is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import uuid
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings as desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.resilience.figures import Durations, Figures, Life, Parcel
from apps.resilience.perf import PerfMonitor
from apps.resilience.stores.figures_memory import MemoryFigures
from apps.resilience.stores.figures_redis import RedisFigures

DAY = "2026-06-08"
PROCESSES = 4
OPERATIONS = 500
names = st.sampled_from(["fetch", "yahoo.candles", "odd:name with space", "é"])


@pytest.fixture
def store(prefix) -> Iterator[RedisFigures]:
    figures = RedisFigures(desk.KIT_REDIS_URL, prefix=prefix)
    yield figures
    figures.close()


def figures_of(durations: list[tuple[str, float, str]], counters: dict[str, int]) -> Figures:
    figures = Figures(counters=dict(counters))
    for name, duration_s, error in durations:
        figures.operations.setdefault(name, Durations()).add(duration_s, error)
    return figures


def parcel_of(figures: Figures, *, process: str = "p1", number: int = 1, day: str = DAY, seen_s: float = 1_000.5) -> Parcel:
    return Parcel(day=day, process=process, number=number, life=Life(started_s=1_000.0, seen_s=seen_s), figures=figures)


parcels = st.builds(
    figures_of,
    st.lists(st.tuples(names, st.floats(0, 1e7), st.sampled_from(["", "timeout", "http-status"])), max_size=20),
    st.dictionaries(names, st.integers(1, 10**9)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(st.tuples(parcels, st.sampled_from(["p1", "p2"]), st.integers(1, 4)), max_size=6), names_max=st.integers(1, 4)
)
def test_redis_keeps_what_memory_keeps(sent, names_max):
    shared = RedisFigures(desk.KIT_REDIS_URL, prefix=f"test-{uuid.uuid4().hex}:", names_max=names_max)
    local = MemoryFigures(names_max=names_max)
    for figures, process, number in sent:
        for store in (shared, local):
            store.add(parcel_of(figures, process=process, number=number))
    try:
        assert shared.read(DAY) == local.read(DAY)
    finally:
        shared._redis.delete(shared._day(DAY), shared._processes)
        shared.close()


def test_a_parcel_sent_twice_counts_once(store):
    parcel = parcel_of(figures_of([("fetch", 1.0, "")], {"rows": 3}))
    store.add(parcel)
    store.add(parcel)
    store.add(parcel_of(figures_of([("fetch", 1.0, "")], {}), number=2))
    read = store.read(DAY).figures
    assert (read.operations["fetch"].count, read.counters) == (2, {"rows": 3})


def test_days_are_apart_and_end_by_themselves(store, prefix):
    store.add(parcel_of(figures_of([("fetch", 1.0, "")], {})))
    assert store.read("2026-06-09").figures.is_empty()
    with redis.Redis.from_url(desk.KIT_REDIS_URL) as client:
        assert 86_400 < client.ttl(f"{prefix}{{perf}}:{DAY}") <= 2 * 86_400


def test_processes_that_ended_yesterday_are_forgotten(store):
    store.add(parcel_of(Figures(), process="old", seen_s=1_001.0))
    store.add(parcel_of(Figures(), process="new", seen_s=1_001.0 + 90_000))
    assert set(store.read(DAY).lives) == {"new"}
    assert set(store.read(DAY).lives) == {"new"}


def work(prefix: str, number: int, *, is_killed: bool) -> None:
    monitor = PerfMonitor(store=RedisFigures(desk.KIT_REDIS_URL, prefix=prefix), flush_every_s=0)
    for step in range(OPERATIONS):
        monitor.observe("fetch", (number * OPERATIONS + step + 1) / 1000, error="timeout" if step % 10 == 0 else "")
        monitor.hit("screen") if step % 4 else monitor.miss("screen")
        if step % 100 == 0:
            monitor.flush()
    monitor.flush()
    if is_killed:
        os.kill(os.getpid(), signal.SIGKILL)
    monitor.close()


def test_four_processes_report_as_one_although_half_of_them_were_killed(prefix):
    spawn = multiprocessing.get_context("spawn")
    running = [spawn.Process(target=work, args=(prefix, n), kwargs={"is_killed": n % 2 == 0}) for n in range(PROCESSES)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [-signal.SIGKILL, 0, -signal.SIGKILL, 0]
    monitor = PerfMonitor(store=RedisFigures(desk.KIT_REDIS_URL, prefix=prefix), flush_every_s=0)
    report = monitor.report()
    fetch = report.operations["fetch"]
    total = PROCESSES * OPERATIONS
    assert (report.is_shared, fetch.count, fetch.errors_by_kind) == (True, total, {"timeout": total // 10})
    assert fetch.mean_s == pytest.approx((total + 1) / 2 / 1000, abs=1e-6)
    assert (fetch.min_s, fetch.max_s) == pytest.approx((0.001, total / 1000), abs=1e-8)
    for share, got in ((0.50, fetch.p50_s), (0.95, fetch.p95_s), (0.99, fetch.p99_s)):
        assert got == pytest.approx(share * total / 1000, rel=0.0101)
    assert report.hit_rates == {"screen": 0.75}
    monitor.close()


def test_a_forked_child_counts_its_own_and_not_its_parents(prefix):
    monitor = PerfMonitor(store=RedisFigures(desk.KIT_REDIS_URL, prefix=prefix), flush_every_s=0)
    monitor.observe("fetch", 1.0)
    child = os.fork()
    if child == 0:
        monitor.observe("fetch", 3.0)
        monitor.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    report = monitor.report()
    assert (report.operations["fetch"].count, report.operations["fetch"].total_s, report.processes) == (2, 4.0, 2)
    monitor.close()


def test_with_redis_gone_the_report_is_local_and_says_so():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for where in (port, 1):
            monitor = PerfMonitor(store=RedisFigures(f"redis://127.0.0.1:{where}/0", timeout_s=0.1), flush_every_s=0)
            monitor.observe("fetch", 1.0)
            report = monitor.report()
            assert (report.is_shared, report.processes, report.operations["fetch"].count) == (False, 1, 1)
