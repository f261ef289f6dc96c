"""How long work tells how far it is."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from apps.core import progress
from apps.core.progress import Rarely, Sparing, bar, in_words, on_terminal, percent_of, stage, unheard


class Hand:
    """A clock that is set by hand."""

    def __init__(self):
        self.at_s = 100.0

    def __call__(self):
        return self.at_s


@given(st.integers(-5, 10**6), st.integers(0, 10**6))
def test_a_percentage_is_between_0_and_100_and_100_only_when_all_is_done(done, total):
    share = percent_of(done, total)
    assert (share is None) == (total == 0)
    if share is not None:
        assert 0 <= share <= 100
        assert (share == 100) == (done >= total)


@pytest.mark.parametrize(("done", "total"), [(None, 5), (3, None), (None, None)])
def test_what_nobody_counted_has_no_percentage(done, total):
    assert percent_of(done, total) is None


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ((12, 40, "candles of AAPL"), "12 of 40 (30 %), candles of AAPL"),
        ((1200, None, ""), "1,200"),
        ((0, 0, ""), "0 of 0"),
    ],
)
def test_a_report_is_a_line(report, words):
    assert in_words(*report) == words


def test_a_sparing_listener_hears_once_a_second_and_the_end_once():
    hand, heard = Hand(), []
    tell = Sparing(lambda *report: heard.append(report), every_s=1.0, clock_s=hand)
    for done in range(1, 31):
        hand.at_s += 0.125
        tell(done, 40, "rows")
    tell(40, 40, "rows")
    tell(40, 40, "rows")
    assert [done for done, _, _ in heard] == [8, 16, 24, 40]
    assert heard[-1] == (40, 40, "rows")


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 50)), max_size=60))
def test_a_sparing_listener_never_hears_twice_within_the_pause_but_for_ends(steps):
    hand, heard = Hand(), []
    tell = Sparing(lambda done, total=None, note="": heard.append((hand.at_s, done, total)), every_s=1.0, clock_s=hand)
    for pause_s, done in steps:
        hand.at_s += pause_s
        tell(done, 50)
    middle = [at_s for at_s, done, total in heard if done < total]
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(middle))


def test_stages_are_counted_within_the_whole():
    heard = []
    first, second = (stage(lambda *report: heard.append(report), number, 2) for number in (1, 2))
    first(3, 10, "reading")
    second(1, 10, "writing")
    second(4)
    assert heard == [(3, 20, "reading"), (11, 20, "writing"), (4, None, "")]


def test_where_there_is_no_terminal_short_work_is_silent_and_long_work_writes_lines(monkeypatch):
    stream = io.StringIO()
    with on_terminal("Backup", stream=stream) as quick:
        quick(1, 2, "one")
    assert stream.getvalue() == ""
    hand = Hand()
    slow = Rarely("Backup", Console(file=stream), clock_s=hand)
    for done in range(1, 13):
        hand.at_s += 1.0
        slow(done, 12, "[tables]")
    assert stream.getvalue().splitlines() == [
        "Backup: 5 of 12 (41 %), [tables]",
        "Backup: 10 of 12 (83 %), [tables]",
    ]


def test_a_program_that_reads_json_sees_nothing():
    stream = io.StringIO()
    with on_terminal("Backup", is_json=True, stream=stream) as progress_of_json:
        progress_of_json(1, 2, "one")
    assert progress_of_json is unheard
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_with_percent_counts_and_note():
    stream = io.StringIO()
    with bar("Backup", Console(file=stream, force_terminal=True, width=120)) as tell:
        tell(30, 40, "reading markets_quote")
    text = stream.getvalue()
    for words in ("Backup", "75%", "30/40", "reading markets_quote"):
        assert words in text, words


def test_a_note_leaves_room_for_the_bar():
    assert progress.shortened("x" * 200) == "x" * 59 + "…"
