"""Failed tasks and parked work."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from celery import current_app
from django.core.management import call_command
from django.db import connections
from kombu.exceptions import OperationalError

from apps.audit.models import Event
from apps.core.errors import Broken, Transient
from apps.monitoring import selectors, services
from apps.monitoring.errors import BrokerAway, DeadLetterEnded, DeadLetterNotFound
from apps.monitoring.models import DeadLetter, TaskFailure

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def sent(monkeypatch):
    messages = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs, **_: messages.append((name, kwargs)))
    return messages


def fail(error, **kwargs):
    try:
        raise error
    except type(error) as caught:
        services.record_failure(task="tasks.trade.work", task_id="t-1", kwargs=kwargs, error=caught, now=NOW)


def park(**changes):
    values = {"task": "tasks.settle.due", "kwargs": {"market_id": "mkt_1"}, "reason": "three times", "attempts": 3}
    return services.park(**{**values, **changes}, by="worker", now=NOW)


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


def test_parked_work_is_sent_again_once(db, sent):
    letter_id = park()
    services.replay(dead_letter_id=letter_id, by="olga", now=NOW)
    assert sent == [("tasks.settle.due", {"market_id": "mkt_1"})]
    letter = DeadLetter.objects.get()
    assert (letter.state, letter.ended_by, letter.ended_at) == ("replayed", "olga", NOW)
    with pytest.raises(DeadLetterEnded):
        services.replay(dead_letter_id=letter_id, by="olga", now=NOW)
    assert len(sent) == 1
    assert list(Event.objects.order_by("id").values_list("action", "subject")) == [
        ("dead_letter.parked", letter_id),
        ("dead_letter.replayed", letter_id),
    ]


def test_parked_work_stays_parked_while_the_broker_is_away(db, monkeypatch):
    def away(*_, **__):
        raise OperationalError("connection refused")

    monkeypatch.setattr(current_app, "send_task", away)
    letter_id = park()
    with pytest.raises(BrokerAway):
        services.replay(dead_letter_id=letter_id, by="olga", now=NOW)
    assert DeadLetter.objects.get().state == "parked"
    assert Event.objects.count() == 1


def test_discarded_work_stays_readable_and_is_not_sent(db, sent):
    letter_id = park()
    services.discard(dead_letter_id=letter_id, by="olga", now=NOW)
    assert (DeadLetter.objects.get().state, sent, selectors.parked_count()) == ("discarded", [], 0)
    with pytest.raises(DeadLetterEnded):
        services.discard(dead_letter_id=letter_id, by="olga", now=NOW)
    assert Event.objects.count() == 2


def test_an_unknown_letter_is_not_found(db, sent):
    for deed in (services.replay, services.discard):
        with pytest.raises(DeadLetterNotFound):
            deed(dead_letter_id="dlt_none", by="olga", now=NOW)
    assert (sent, Event.objects.count()) == ([], 0)


def run(*arguments):
    out, err = StringIO(), StringIO()
    try:
        call_command("dead_letters", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_the_command_lists_replays_and_discards(db, sent):
    first, second = park(), park()
    code, out, _ = run("list", "--json")
    assert code == 0
    assert [letter["id"] for letter in json.loads(out)["dead_letters"]] == [second, first]
    assert run("replay", first, "--json")[0] == 0
    assert run("discard", second, "--json")[0] == 0
    assert len(sent) == 1
    assert json.loads(run("list", "--json")[1]) == {"parked": 0, "dead_letters": []}


@pytest.mark.parametrize("arguments", [("replay",), ("discard", "dlt_none")])
def test_the_command_refuses_in_one_line_with_exit_2(db, sent, arguments):
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_staff_replay_from_the_admin(db, sent, admin_client):
    letter_id = park()
    answer = admin_client.post(
        "/admin/monitoring/deadletter/", {"action": "replay", "_selected_action": [letter_id]}, follow=True
    )
    assert answer.status_code == 200
    assert (DeadLetter.objects.get().state, len(sent)) == ("replayed", 1)
