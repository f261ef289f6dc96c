"""Failed tasks."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connections

from apps.core.errors import Broken, Transient
from apps.monitoring import selectors, services
from apps.monitoring.models import TaskFailure

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def fail(error, **kwargs):
    try:
        raise error
    except type(error) as caught:
        services.record_failure(task="tasks.trade.work", task_id="t-1", kwargs=kwargs, error=caught, now=NOW)


def test_a_failure_is_stored_with_its_kind_and_place_and_without_secrets(db):
    fail(Broken("balance is off at postgres://desk:hunter2@db/x"), market_id="mkt_1", api_key="k")
    row = TaskFailure.objects.get()
    assert (row.task, row.task_id, row.kind, row.at) == ("tasks.trade.work", "t-1", "broken", NOW)
    assert row.kwargs == {"market_id": "mkt_1", "api_key": "***"}
    assert row.error == "Broken: balance is off at postgres://desk:***@db/x"
    assert "test_failures.py" in row.trace
    assert "hunter2" not in row.trace


def test_only_failures_that_should_not_happen_are_counted(db):
    fail(Transient("away"))
    fail(ValueError("bug"))
    assert (TaskFailure.objects.count(), selectors.failure_count()) == (2, 1)
    assert selectors.failures_by_task() == {("tasks.trade.work", "transient"): 1, ("tasks.trade.work", "unexpected"): 1}


def test_text_that_postgresql_cannot_hold_is_stored_without_it(db):
    fail(ValueError("a\x00b"), note="c\x00d")
    row = TaskFailure.objects.get()
    assert (row.error, row.kwargs) == ("ValueError: ab", {"note": "cd"})


def test_a_database_that_is_away_does_not_make_it_worse(transactional_db, monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict, "PORT", "1")
    connections["default"].close()
    fail(ValueError("bug"))
    monkeypatch.undo()
    assert TaskFailure.objects.count() == 0
