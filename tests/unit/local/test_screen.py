"""What bin/up prints when no terminal is there."""

from __future__ import annotations

import io
import sys

from rich.console import Console

from project.local.screen import Screen


def test_lines_are_plain_and_brackets_are_not_markup():
    stream = io.StringIO()
    Screen(is_json=False, stream=stream).say("web (pid 1) ended; see [log] at " + "/very/long/path" * 20)
    assert stream.getvalue() == "web (pid 1) ended; see [log] at " + "/very/long/path" * 20 + "\n"


def test_a_table_is_one_line_a_row():
    stream = io.StringIO()
    Screen(is_json=False, stream=stream).table("Title", {"desk": "http://x/desk/", "logs": "/l"})
    lines = [line.split() for line in stream.getvalue().splitlines()]
    assert lines == [["Title"], ["desk", "http://x/desk/"], ["logs", "/l"]]


def test_counts_are_repeated_only_when_they_changed_and_not_often():
    stream = io.StringIO()
    screen = Screen(is_json=False, stream=stream)
    screen.counts({})
    screen.counts({"markets": 1, "quotes": 1200})
    screen.counts({"markets": 1, "quotes": 1200})
    screen.counts({"markets": 2, "quotes": 1300})
    assert stream.getvalue() == "1 markets · 1,200 quotes\n"


def test_a_count_that_was_cut_short_says_so():
    stream = io.StringIO()
    Screen(is_json=False, stream=stream).counts({"quotes": 100_000, "fills": 99_999})
    assert stream.getvalue() == "100,000+ quotes · 99,999 fills\n"


def test_with_json_everything_goes_to_stderr(capsys):
    Screen(is_json=True, stream=None).say("for people")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "for people\n")


def test_on_a_terminal_the_live_line_is_replaced_and_lines_stand_above_it(monkeypatch):
    stream = io.StringIO()
    screen = Screen(is_json=False, stream=stream)
    monkeypatch.setattr(screen, "_console", Console(file=stream, force_terminal=True, width=80))
    screen.counts({"markets": 1})
    screen.counts({"markets": 2})
    screen.say("worker_fetch runs again")
    screen.close()
    text = stream.getvalue()
    assert text.count("1 markets") == 1
    assert "worker_fetch runs again" in text
    assert text.rstrip().endswith(("2 markets", "\x1b[?25h"))
    assert sys.stdout is not stream
