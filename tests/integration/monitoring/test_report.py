"""The report of a run and the doctor."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from apps.monitoring import report
from apps.monitoring.models import TaskFailure
from apps.settlement import services as settlement
from tests.integration.trading.desk import BY, NOW, open_desk

LATER = NOW + timedelta(hours=2)
FIELDS_OF_THE_SURFACE = {
    *("markets_seen", "markets_settled", "quotes_stored", "articles_stored", "forecasts", "signals", "signals_suppressed"),
    *("orders", "fills", "positions_open", "settlements", "books_balanced", "audit_verified", "audit_events"),
    *("backup_verified", "scores", "failed_tasks", "dead_letters"),
}


def run(name, *arguments):
    out, err = StringIO(), StringIO()
    try:
        call_command(name, *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def desk(db, settings):
    settings.SCHEDULE_SPEED = 1.0
    return open_desk()


def test_pending_falls_to_nothing_as_a_market_ends(desk):
    assert report.pending(now=LATER) == {
        "pending": 1, "unresolved": 1, "overdue_rolled": 0, "unsettled": 0, "unfinished_orders": 0, "unscored": 0,
    }  # fmt: skip
    desk.signal()
    desk.take()
    assert report.pending(now=NOW)["unfinished_orders"] == 1
    desk.fill()
    desk.resolve()
    waiting = report.pending(now=LATER)
    assert (waiting["unresolved"], waiting["unsettled"], waiting["unfinished_orders"]) == (0, 1, 0)
    settlement.settle_due(now=LATER, by=BY)
    assert report.pending(now=LATER)["pending"] == 0


def test_counts_tell_what_happened(desk):
    desk.signal()
    desk.signal("main", state="suppressed")
    desk.take()
    desk.fill()
    counts = report.counts()
    expected = {
        "markets_seen": 1, "markets_settled": 0, "quotes_stored": 2, "articles_stored": 0, "forecasts": 0, "signals": 2,
        "signals_suppressed": 1, "orders": 1, "fills": 1, "positions_open": 1, "settlements": 0, "failed_tasks": 0, "dead_letters": 0,
    }  # fmt: skip
    assert counts == expected
    assert report.details()["markets_quoted"] == 1
    assert report.details()["shadow_fills"] == 1


def test_the_whole_report_seals_verifies_backs_up_and_restores(transactional_db, settings, tmp_path):
    settings.BACKUP_DIR = str(tmp_path)
    settings.SCHEDULE_SPEED = 1.0
    desk = open_desk()
    desk.signal()
    desk.take()
    desk.fill()
    desk.resolve()
    settlement.settle_due(now=LATER, by=BY)
    code, out, _ = run("desk_report", "--json")
    figures = json.loads(out)
    assert set(figures) >= FIELDS_OF_THE_SURFACE
    assert (figures["markets_seen"], figures["markets_settled"], figures["fills"], figures["settlements"]) == (1, 1, 1, 1)
    assert (figures["books_balanced"], figures["audit_verified"], figures["backup_verified"]) == (True, True, True)
    # Nothing forecast this market, and the report says so.
    assert [name for name, holds in figures["checks"].items() if not holds] == ["every_market_forecast_before_close"]
    assert (figures["is_good"], code) == (False, 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_each_check_can_fail():
    good = {
        "markets_seen": 2, "markets_settled": 2, "markets_quoted": 2, "markets_forecast_before_close": 2, "shadow_fills": 1,
        "pending": {"pending": 0}, "books_balanced": True, "audit_verified": True, "backup_verified": True, "failed_tasks": 0,
        "dead_letters": 0,
    }  # fmt: skip
    assert all(report.checks(good).values())
    worse = {
        "markets_settled": 1, "markets_quoted": 1, "markets_forecast_before_close": 1, "shadow_fills": 0, "pending": {"pending": 1},
        "books_balanced": False, "audit_verified": False, "backup_verified": False, "failed_tasks": 1, "dead_letters": 1,
    }  # fmt: skip
    for name, value in worse.items():
        assert list(report.checks({**good, name: value}).values()).count(False) == 1, name
    assert not report.checks({**good, "markets_seen": 0})["markets_seen"]


def test_a_failed_task_fails_the_report(desk):
    TaskFailure.objects.create(task="t", task_id="1", error="ValueError", kind="unexpected", at=NOW)
    assert report.counts()["failed_tasks"] == 1


def test_pending_is_printed_on_one_line(desk):
    code, out, _ = run("desk_report", "--pending", "--json")
    assert (code, out.count("\n"), json.loads(out)["unresolved"]) == (0, 1, 1)


def test_the_doctor_finds_everything_in_order(transactional_db):
    code, out, _ = run("doctor", "--json")
    findings = json.loads(out)["findings"]
    assert {name: finding["is_good"] for name, finding in findings.items()} == {
        "settings": True, "postgresql": True, "migrations": True, "redis": True, "backup tools": True, "clock": True,
    }  # fmt: skip
    assert code == 0


def test_the_doctor_says_what_to_do(transactional_db, settings):
    settings.CACHES = {**settings.CACHES, "strict": {**settings.CACHES["strict"], "LOCATION": "redis://127.0.0.1:1/0"}}
    code, out, _ = run("doctor")
    assert code == 1
    assert "BAD" in out
    assert "is it running, and does its address in the environment point to it?" in out
