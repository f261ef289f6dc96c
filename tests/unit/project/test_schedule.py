"""The day on one page: every entry names a task that exists and the queue that its route says."""

from __future__ import annotations

import json
from fnmatch import fnmatch

import pytest

from apps.core.errors import Expected
from apps.jobs.arguments import as_json
from apps.jobs.definitions import scope_of
from project.celery import app
from tasks.base import DeskTask
from tasks.queues import QUEUE_NAMES, ROUTES
from tasks.schedule import DAILY, SHORTEST_S, Daily, Interval, intervals

LONGEST_NAME = 200  # of a schedule, and of the scope of its jobs
ENTRIES: list[Interval | Daily] = [*intervals({"yahoo": ("^GSPC",), "binance": ("BTC",)}), *DAILY]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_names_a_registered_task_and_its_queue(entry):
    app.loader.import_default_modules()
    assert entry.task in app.tasks
    routes = [route["queue"] for pattern, route in ROUTES.items() if fnmatch(entry.task, pattern)]
    assert routes == [entry.queue]


def test_names_are_unique():
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)


def test_the_worlds_speed_shortens_ticks_down_to_one_second():
    catalogue = next(entry for entry in intervals({}) if entry.name == "catalogue")
    assert [catalogue.seconds(speed) for speed in (1, 6, 60, 1000)] == [60, 10, 1, SHORTEST_S]


def test_upkeep_does_not_follow_the_world():
    assert {entry.name for entry in intervals({}) if not entry.follows_world} == {
        "seal audit",
        "partitions",
        "old jobs",
        "heartbeat",
    }


def test_every_queue_has_work_or_is_the_default():
    assert {entry.queue for entry in ENTRIES} == set(QUEUE_NAMES.names())


def test_what_is_expected_fills_no_log_with_traces():
    assert DeskTask.throws == (Expected,)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_can_be_a_job(entry):
    assert json.loads(as_json(dict(entry.kwargs))) == dict(entry.kwargs)
    assert len(entry.name) <= LONGEST_NAME


def test_entries_are_scopes_of_their_own():
    """Two entries with the same task and arguments would stand in each other's way."""
    scopes = [scope_of(entry.task, dict(entry.kwargs)) for entry in ENTRIES]
    assert len(set(scopes)) == len(scopes)
    assert max(map(len, scopes)) <= LONGEST_NAME


def test_long_arguments_are_told_apart_by_more_than_their_beginning():
    many = " ".join(f"SYMBOL{number}" for number in range(100))
    first, second = scope_of("tasks.ingest.candles", {"symbols": many}), scope_of("tasks.ingest.candles", {"symbols": many + "X"})
    assert (len(first), len(second), first == second) == (LONGEST_NAME, LONGEST_NAME, False)
