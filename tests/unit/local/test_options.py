"""The options of bin/up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from project.local.options import FASTEST, HIGHEST_PORT, read_options
from project.local.preflight import CannotStart

ROOT = Path("/checkout")


def test_without_options_the_desk_plays_the_recorded_world_on_port_8000_in_the_checkout():
    options = read_options([], root=ROOT)
    assert (options.port, options.speed, options.data, options.workers) == (8000, 60.0, ROOT / ".local", 1)
    assert (options.has_beat, options.is_live, options.exits_when_settled, options.is_json) == (True, False, False, False)
    assert not options.has_flower


def test_every_option_is_heard():
    words = ["--port", "9000", "--speed", "120", "--data", "/d", "--workers", "3", "--no-beat", "--exit-when-settled", "--json"]
    options = read_options(words, root=ROOT)
    assert (options.port, options.speed, options.data, options.workers) == (9000, 120.0, Path("/d"), 3)
    assert (options.has_beat, options.exits_when_settled, options.is_json) == (False, True, True)


def test_flower_is_started_when_it_is_wanted():
    assert read_options(["--flower"], root=ROOT).has_flower


def test_a_relative_data_folder_is_the_callers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_options(["--data", "here"], root=ROOT).data == tmp_path / "here"


@pytest.mark.parametrize("name", ["", " "])
def test_a_data_folder_without_a_name_is_not_the_present_one(name):
    with pytest.raises(CannotStart, match="a folder is needed, not an empty name"):
        read_options(["--data", name], root=ROOT)


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "70000"],
        ["--port", "-1"],
        ["--port", "80.5"],
        ["--speed", "0"],
        ["--speed", "nan"],
        ["--speed", "inf"],
        ["--speed", "fast"],
        ["--workers", "0"],
        ["--workers", "65"],
        ["--live", "--exit-when-settled"],
        ["--json"],
        ["--prot", "8000"],
        ["--data"],
        ["surprise"],
    ],
)
def test_a_wrong_option_is_refused_in_one_line(words):
    with pytest.raises(CannotStart) as refusal:
        read_options(words, root=ROOT)
    assert len(str(refusal.value).splitlines()) == 1


@given(st.text(max_size=20))
def test_any_text_is_a_good_port_or_a_refusal_that_names_the_option(text):
    said = ""
    try:
        port = read_options([f"--port={text}"], root=ROOT).port
    except CannotStart as refusal:
        port, said = -1, str(refusal)
    assert 0 <= port <= HIGHEST_PORT or "--port" in said


@given(st.floats())
def test_any_number_is_a_good_speed_or_a_refusal(number):
    is_good = 0.1 <= number <= FASTEST
    try:
        assert read_options([f"--speed={number}"], root=ROOT).speed == number
        assert is_good
    except CannotStart:
        assert not is_good
