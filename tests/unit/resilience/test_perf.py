"""The monitor in one process: timers of every form, reports, days, and a store that goes away."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from apps.resilience import AttemptFinished, StoreUnavailable
from apps.resilience.figures import NAMES_MAX, OTHER
from apps.resilience.perf import PerfMonitor
from apps.resilience.stores.figures_memory import MemoryFigures
from apps.resilience.testing import FakeClock

DAY_S = 86_400


class LostStore(MemoryFigures):
    """Can be away, before or after it took a parcel."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.loses_answers = False

    def add(self, parcel):
        if self.is_away:
            raise StoreUnavailable("gone")
        super().add(parcel)
        if self.loses_answers:
            raise StoreUnavailable("the answer was lost")

    def read(self, day):
        if self.is_away:
            raise StoreUnavailable("gone")
        return super().read(day)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> LostStore:
    return LostStore()


def monitor_of(clock, store=None, **options) -> PerfMonitor:
    return PerfMonitor(clock=clock, store=store, flush_every_s=0, **options)


def test_every_form_of_the_timer_counts_once(clock):
    monitor = monitor_of(clock)

    @monitor.time_operation("sync")
    def work(step: float) -> float:
        clock.advance(step)
        return step

    @monitor.time_operation("async")
    async def work_async(step: float) -> float:
        clock.advance(step)
        return step

    async def scene() -> None:
        assert await work_async(2.0) == 2.0
        async with monitor.time_operation("async"):
            clock.advance(4.0)

    assert work(1.0) == 1.0
    with monitor.time_operation("sync"):
        clock.advance(3.0)
    asyncio.run(scene())
    operations = monitor.report().operations
    assert {name: (one.count, one.mean_s, one.min_s, one.max_s) for name, one in operations.items()} == {
        "async": (2, 3.0, 2.0, 4.0),
        "sync": (2, 2.0, 1.0, 3.0),
    }
    assert (work.__name__, work_async.__name__) == ("work", "work_async")


def test_a_failure_is_counted_by_its_kind_and_goes_on_its_way(clock):
    monitor = monitor_of(clock)
    for error in (TimeoutError(), KeyError("x"), TimeoutError(), asyncio.CancelledError()):
        with pytest.raises(type(error)), monitor.time_operation("fetch"):
            raise error
    fetch = monitor.report().operations["fetch"]
    assert (fetch.count, fetch.errors) == (4, 4)
    assert fetch.errors_by_kind == {"cancelled": 1, "missing_key": 1, "timeout": 2}


def test_counters_and_hit_rates(clock):
    monitor = monitor_of(clock)
    monitor.increment("rows", 40)
    monitor.increment("rows")
    for _ in range(3):
        monitor.hit("screen")
    monitor.miss("screen")
    monitor.miss("chart")
    report = monitor.report()
    assert report.counters == {"chart.miss": 1, "rows": 41, "screen.hit": 3, "screen.miss": 1}
    assert report.hit_rates == {"chart": 0.0, "screen": 0.75}


def test_the_report_can_be_shown_as_json(clock):
    monitor = monitor_of(clock)
    monitor.observe("fetch", 0.5, error="http-status")
    clock.advance(90)
    report = monitor.report()
    assert (report.uptime_s, report.processes, report.is_shared) == (90.0, 1, False)
    shown = json.loads(json.dumps(report.as_dict()))
    assert shown["operations"]["fetch"]["errors_by_kind"] == {"http-status": 1}
    assert shown["relative_error"] == 0.01
    assert asyncio.run(monitor.report_async()) == report


def test_it_is_a_hook_that_times_attempts(clock):
    monitor = monitor_of(clock)
    for outcome in ("ok", "timed-out"):
        monitor(
            AttemptFinished(
                key="yahoo",
                operation="candles",
                attempt=1,
                outcome=outcome,
                status=None,
                duration_s=0.2,
                wait_s=0.0,
                size_bytes=0,
            )
        )
    candles = monitor.report().operations["yahoo.candles"]
    assert (candles.count, candles.errors_by_kind) == (2, {"timed-out": 1})


def test_two_monitors_report_together(clock, store):
    first, second = monitor_of(clock, store), monitor_of(clock, store)
    clock.advance(10)
    third = monitor_of(clock, store)
    for monitor, duration_s in ((first, 1.0), (second, 2.0), (third, 3.0)):
        monitor.observe("fetch", duration_s)
        monitor.increment("rows")
        monitor.flush()
    report = first.report()
    assert report == second.report()
    assert (report.is_shared, report.processes, report.uptime_s) == (True, 3, 10.0)
    assert (report.operations["fetch"].count, report.operations["fetch"].mean_s, report.counters) == (3, 2.0, {"rows": 3})


def test_a_process_that_ended_keeps_its_share_of_the_day(clock, store):
    first = monitor_of(clock, store)
    first.observe("fetch", 1.0)
    first.close()
    clock.advance(60)
    report = monitor_of(clock, store).report()
    assert (report.operations["fetch"].count, report.processes) == (1, 1)


def test_a_new_day_begins_empty(clock, store):
    for monitor in (monitor_of(clock, store), monitor_of(clock)):
        monitor.observe("fetch", 1.0)
        assert list(monitor.report().operations) == ["fetch"]
        clock.advance(DAY_S)
        assert dict(monitor.report().operations) == {}


def test_while_the_store_is_away_reports_are_local_and_nothing_is_lost(clock, store):
    events: list[Any] = []
    monitor = monitor_of(clock, store, hooks=[events.append])
    other = monitor_of(clock, store)
    other.observe("fetch", 1.0)
    other.flush()
    monitor.observe("fetch", 2.0)
    monitor.flush()
    store.is_away = True
    for _ in range(3):
        monitor.observe("fetch", 3.0)
        report = monitor.report()
    assert (report.is_shared, report.operations["fetch"].count) == (False, 4)
    assert [(event.verb, event.count) for event in events] == [("flush", 1), ("flush", 2), ("flush", 3)]
    store.is_away = False
    report = monitor.report()
    assert (report.is_shared, report.operations["fetch"].count, report.operations["fetch"].total_s) == (True, 5, 12.0)


def test_a_parcel_whose_answer_was_lost_counts_once(clock, store):
    monitor = monitor_of(clock, store)
    store.loses_answers = True
    monitor.observe("fetch", 1.0)
    assert monitor.flush() is False
    assert monitor.flush() is False
    monitor.observe("fetch", 1.0)
    store.loses_answers = False
    assert monitor.flush() is True
    assert monitor.report().operations["fetch"].count == 2


def test_names_from_outside_are_bounded_here_and_in_the_store(clock, store):
    for _ in range(3):
        monitor = monitor_of(clock, store)
        for number in range(NAMES_MAX + 50):
            monitor.observe(f"{id(monitor)}-{number}", 1.0)
            monitor.increment(f"{id(monitor)}-{number}")
        monitor.flush()
    report = monitor.report()
    assert len(report.operations) == len(report.counters) == NAMES_MAX + 1
    assert sum(one.count for one in report.operations.values()) == 3 * (NAMES_MAX + 50)
    assert report.counters[OTHER] == 3 * (NAMES_MAX + 50) - NAMES_MAX


def test_threads_lose_no_count(clock, store):
    monitor = monitor_of(clock, store)

    def work() -> None:
        for number in range(2_000):
            monitor.observe("fetch", 0.001)
            monitor.increment("rows")
            if number % 200 == 0:
                monitor.flush()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = monitor.report()
    assert (report.operations["fetch"].count, report.counters["rows"]) == (8_000, 8_000)


def test_it_flushes_by_itself(store):
    flushed = threading.Event()
    add = store.add

    def heard(parcel):
        add(parcel)
        if parcel.figures.operations:
            flushed.set()

    store.add = heard
    monitor = PerfMonitor(store=store, flush_every_s=0.01)
    monitor.observe("fetch", 1.0)
    assert flushed.wait(10)
    monitor.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "perf-flush"]
