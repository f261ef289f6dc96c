"""`risk status|halt|rearm` as an operator uses it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command

from apps.risk.models import Lock
from tests.integration.trading.desk import open_desk

pytestmark = pytest.mark.django_db


def run(capsys, *words: str) -> tuple[Any, Any]:
    """Run the command and return its exit code and what it printed."""
    code: Any = 0
    try:
        call_command("risk", *words)
    except SystemExit as left:
        code = left.code
    printed = capsys.readouterr()
    return code, json.loads(printed.out) if printed.out else printed.err.strip()


def test_halting_one_tenant_leaves_the_other_alone(desk, capsys):
    open_desk("bob", with_market=False)
    code, shown = run(capsys, "status", "--json")
    assert (code, sorted(shown), shown["alice"]["locks"]) == (0, ["alice", "bob"], [])
    code, shown = run(capsys, "halt", "--tenant", "alice", "--reason", "drill", "--json")
    assert (code, [lock["name"] for lock in shown["alice"]["locks"]]) == (0, ["kill_switch"])
    assert Lock.objects.get().tenant_id == desk.tenant_id
    code, shown = run(capsys, "status", "--json")
    assert (code, len(shown["alice"]["locks"]), len(shown["bob"]["locks"])) == (1, 1, 0)
    code, shown = run(capsys, "rearm", "--reason", "over", "--json")
    assert (code, shown["alice"]["locks"]) == (0, [])


def test_the_kill_switch_asks_for_no_words(desk, capsys):
    code, shown = run(capsys, "halt", "--json")
    assert (code, shown["alice"]["locks"][0]["reason"]) == (0, "by hand, no reason given")
    code, shown = run(capsys, "rearm", "--json")
    assert (code, shown["alice"]["locks"]) == (0, [])


@pytest.mark.parametrize("words", [("explode",), ("halt", "--tenant", "nobody"), ("status", "--tenant", "nobody"), ()])
def test_wrong_arguments_are_one_line_and_exit_2(desk, capsys, words):
    code, line = run(capsys, *words)
    assert code == 2
    assert isinstance(line, str)
    assert len(line.splitlines()) == 1
    assert not Lock.objects.exists()
