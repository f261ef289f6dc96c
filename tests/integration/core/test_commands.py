"""Commands speak in one line, in JSON when asked, and with three exit codes."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command

from apps.core.commands import DeskCommand
from apps.core.errors import Broken, Invalid, NotFound, Transient


class Speaking(DeskCommand):
    """A command of the test: answers what it was given."""

    answer: object = (True, {"count": 3, "name": "x"})

    def run(self, **options):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _call(answer, *args):
    command = Speaking(stdout=StringIO(), stderr=StringIO())
    command.answer = answer
    try:
        call_command(command, *args)
        code: object = 0
    except SystemExit as stop:
        code = stop.code
    return code, command.stdout.getvalue(), command.stderr.getvalue()


def test_figures_are_printed_as_aligned_lines():
    assert _call((True, {"count": 3, "name": "x"})) == (0, "count  3\nname   x\n", "")


def test_what_is_inside_of_a_figure_is_named_by_its_path():
    figures = {"alice": {"locks": (), "portfolios": ({"kind": "main"}, {"kind": "shadow"})}}
    lines = ["alice.locks              -", "alice.portfolios.1.kind  main", "alice.portfolios.2.kind  shadow"]
    assert _call((True, figures)) == (0, "\n".join(lines) + "\n", "")


def test_json_is_one_line():
    code, out, _ = _call((True, {"count": 3}), "--json")
    assert (code, json.loads(out), out.count("\n")) == (0, {"count": 3}, 1)


def test_bad_figures_are_printed_and_exit_with_1():
    assert _call((False, {"balanced": False})) == (1, "balanced  False\n", "")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Invalid("no such kind", field="kind"), 2, "no such kind\n"),
        (NotFound("mkt_nope"), 2, "not-found: mkt_nope\n"),
        (Broken("books differ"), 1, "books differ\n"),
        (Transient("vendor is away"), 2, "could not tell: Transient: vendor is away\n"),
        (OSError(28, "No space left on device"), 2, "could not tell: OSError: [Errno 28] No space left on device\n"),
    ],
)
def test_errors_are_one_line_with_their_code(error, code, line):
    assert _call(error) == (code, "", line)


def test_a_wrong_argument_is_one_line_and_exits_with_2(capsys):
    with pytest.raises(SystemExit) as stop:
        Speaking().run_from_argv(["manage.py", "speaking", "--nonsense"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
