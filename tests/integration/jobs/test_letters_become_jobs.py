"""The migration that makes parked jobs of dead letters, forwards and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.jobs.models import Job
from tests.integration.jobs.jobs_world import NOW, after, enqueue, fail_until_parked, row

LETTERS = "SELECT id, task, kwargs->>'market_id', reason, trace, attempts, state, parked_at, ended_at, ended_by FROM monitoring_deadletter"
INSERT = "INSERT INTO monitoring_deadletter VALUES (%s, %s, jsonb_build_object('market_id', %s), %s, %s, %s, %s, %s, %s, %s)"
Letter = tuple[str, str, str, str, str, int, str, datetime, datetime | None, str]
OLD: list[Letter] = [
    ("dlt_1", "tasks.settle.due", "mkt_1", "three times", "Traceback", 3, "parked", NOW, None, ""),
    ("dlt_2", "tasks.ingest.books", "mkt_2", "pool", "", 4, "discarded", NOW, after(60), "olga"),
    ("dlt_3", "tasks.unheard.of", "mkt_3", "gone", "", 3, "replayed", NOW, after(90), "command:dead_letters"),
]


def migrate(name: str) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("monitoring", name)])


def letters() -> list[Letter]:
    with connection.cursor() as cursor:
        cursor.execute(f"{LETTERS} ORDER BY id")
        return list(cursor.fetchall())


@pytest.fixture
def old_letters(transactional_db) -> Iterator[None]:
    migrate("0001_tables")
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, OLD)
    yield
    migrate("0002_dead_letters_become_jobs")


def test_every_letter_becomes_a_job_under_its_own_id(old_letters):
    migrate("0002_dead_letters_become_jobs")
    found = Job.objects.order_by("id").values_list("id", "task", "queue", "state", "attempts", "reason", "trace")
    assert list(found) == [
        ("dlt_1", "tasks.settle.due", "money", "parked", 3, "three times", "Traceback"),
        ("dlt_2", "tasks.ingest.books", "fetch", "discarded", 4, "pool", ""),
        ("dlt_3", "tasks.unheard.of", "upkeep", "done", 3, "gone", ""),
    ]
    assert (row("dlt_1").kwargs, row("dlt_1").finished_at, row("dlt_1").made_at) == ({"market_id": "mkt_1"}, NOW, NOW)
    assert (row("dlt_2").finished_at, row("dlt_2").progress_note) == (after(60), "discarded by olga")


def test_back_again_nothing_is_lost(old_letters):
    migrate("0002_dead_letters_become_jobs")
    migrate("0001_tables")
    assert letters() == OLD
    assert Job.objects.count() == 0


def test_jobs_that_were_parked_meanwhile_go_back_as_letters_and_queued_ones_stay(old_letters, bells):
    migrate("0002_dead_letters_become_jobs")
    parked, queued = enqueue(), enqueue()
    fail_until_parked(parked)
    migrate("0001_tables")
    assert [(letter[0], letter[6], letter[7]) for letter in letters()] == [
        *((letter[0], letter[6], letter[7]) for letter in OLD),
        (parked, "parked", after(200)),
    ]
    assert list(Job.objects.values_list("id", flat=True)) == [queued]
