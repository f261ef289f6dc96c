"""What the arguments of a job may be."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.jobs.arguments import BYTES_MAX, DEPTH_MAX, as_json
from apps.jobs.errors import WrongJob

names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6).map(lambda text: "x" + text[:2] + "q")
leaves = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8)


@given(st.dictionaries(names, values, max_size=4))
def test_ids_and_plain_values_come_back_as_they_went_in(kwargs):
    assert json.loads(as_json(kwargs)) == kwargs


def nested(depth):
    value: object = 1
    for _ in range(depth - 1):
        value = [value]
    return value


def endless():
    ring: list[object] = []
    ring.extend([ring, ring])
    return ring


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        [math.nan],
        b"bytes",
        pytest.param(object(), id="an object"),  # its address would give every worker of the runner another name
        {1, 2},
        "a\x00b",
        ["\x00"],
        {"\x00": 1},
        {("a", 1): 2},
        "\ud800",
    ],
    ids=repr,
)
def test_what_is_no_plain_json_is_refused_by_name(value):
    with pytest.raises(WrongJob) as refusal:
        as_json({"market_id": "mkt_1", "odd": value})
    assert refusal.value.field == "kwargs.odd"


def test_twenty_levels_are_taken_and_twenty_one_refused():
    assert as_json({"deep": nested(DEPTH_MAX)})
    for value in (nested(DEPTH_MAX + 1), nested(10_000), endless()):
        with pytest.raises(WrongJob, match="deeper than 20") as refusal:
            as_json({"deep": value})
        assert refusal.value.field == "kwargs.deep"


def test_sixteen_kibibytes_are_taken_and_one_byte_more_refused():
    room = BYTES_MAX - len('{"x":""}')
    assert len(as_json({"x": "a" * room})) == BYTES_MAX
    for text in ("a" * (room + 1), "é" * room):
        with pytest.raises(WrongJob) as refusal:
            as_json({"x": text})
        assert refusal.value.field == "kwargs"


@pytest.mark.parametrize("name", ["password", "api_key", "apiKey", "access_token", "client_secret", "Authorization"])
def test_a_name_that_looks_like_a_secret_is_refused_at_any_depth(name):
    for kwargs in ({name: "x"}, {"outer": {name: "x"}}, {"outer": [{"inner": {name: "x"}}]}):
        with pytest.raises(WrongJob, match="looks like a secret") as refusal:
            as_json(kwargs)
        assert refusal.value.field == f"kwargs.{next(iter(kwargs))}"


def test_an_argument_without_a_name_is_refused():
    with pytest.raises(WrongJob, match="have names"):
        as_json({1: "x"})  # type: ignore[dict-item]
