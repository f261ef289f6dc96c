"""`settle` and `reverse_settlement` as an operator uses them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command

from apps.settlement.models import Settlement

pytestmark = pytest.mark.django_db


def run(capsys, *words: str) -> tuple[Any, Any]:
    """Run a command and return its exit code and what it printed."""
    code: Any = 0
    try:
        call_command(*words)
    except SystemExit as left:
        code = left.code
    printed = capsys.readouterr()
    return code, json.loads(printed.out) if printed.out else printed.err.strip()


def test_settle_shows_then_settles_then_reverses(desk, capsys):
    desk.signal()
    desk.take()
    desk.fill()
    desk.resolve()
    code, shown = run(capsys, "settle", "--dry-run", "--json")
    assert (code, shown["would_settle"], shown["lines"][0]["paid_minor"]) == (0, 1, 9_615_384)
    assert not Settlement.objects.exists()
    assert run(capsys, "settle", "--json") == (0, {"settled": 1, "waiting": 0})
    assert run(capsys, "settle", "--json") == (0, {"settled": 0, "waiting": 0})
    settlement = Settlement.objects.get()
    code, shown = run(capsys, "reverse_settlement", settlement.id, "--reason", "drill", "--json")
    assert (code, shown["id"], shown["reversed_at"] is not None) == (0, settlement.id, True)
    assert run(capsys, "settle", "--dry-run", "--json") == (0, {"would_settle": 0, "lines": []})  # it waits for a person
    code, shown = run(capsys, "settle", "--market", desk.market.id, "--dry-run", "--json")
    assert (code, shown["would_settle"], len(shown["lines"])) == (0, 1, 1)
    code, shown = run(capsys, "settle", "--market", desk.market.id, "--json")
    assert (code, shown["settled"]) == (0, 1)
    assert Settlement.objects.filter(reversed_at__isnull=True).count() == 1
    planned = run(capsys, "settle", "--market", desk.market.id, "--dry-run", "--json")
    assert planned == (0, {"would_settle": 0, "lines": []})


def test_a_market_without_a_result_would_not_be_settled(desk, capsys):
    planned = run(capsys, "settle", "--market", desk.market.id, "--dry-run", "--json")
    assert planned == (0, {"would_settle": 0, "lines": []})


@pytest.mark.parametrize(
    "words",
    [("settle", "--market", "mkt_none"), ("reverse_settlement", "stl_none", "--reason", "x"), ("reverse_settlement", "stl_none")],
)
def test_wrong_arguments_are_one_line_and_exit_2(desk, capsys, words):
    code, line = run(capsys, *words)
    assert code == 2
    assert isinstance(line, str)
    assert len(line.splitlines()) == 1
    assert not Settlement.objects.exists()
