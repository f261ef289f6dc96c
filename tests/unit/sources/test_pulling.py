"""Large bodies read value by value."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer
from apps.sources.pulling import WINDOW_BYTES, Puller

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def pulled(body: bytes) -> Any:
    """Walk objects and lists by hand down to plain values, as a reader of frames does."""
    puller = Puller(body)
    value = _pull(puller)
    puller.finish()
    return value


def _pull(puller: Puller) -> Any:
    if puller.next_is(b"{"):
        return {name: _pull(puller) for name in puller.members()}
    if puller.next_is(b"["):
        return [_pull(puller) for _ in puller.items()]
    return puller.value()


@given(JSON, st.sampled_from([None, 2]))
def test_walking_gives_what_parsing_whole_gives(value, indent):
    for ascii_only in (True, False):
        assert pulled(json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")) == value


@pytest.mark.parametrize("size", [WINDOW_BYTES - 3, WINDOW_BYTES - 2, WINDOW_BYTES - 1, WINDOW_BYTES, 5 * WINDOW_BYTES])
@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
def test_values_that_cross_a_window_are_read_whole(size, letter):
    value = {"a": letter * size, "b": [1, 12345]}
    assert pulled(json.dumps(value, ensure_ascii=False).encode()) == value


def test_a_number_at_the_edge_of_a_window_keeps_its_digits():
    for padding in range(WINDOW_BYTES - 12, WINDOW_BYTES + 2):
        assert pulled(b"[" + b" " * padding + b"1234567890]") == [1234567890]
        assert Puller(b"9" * 3 + b" " * padding).value() == 999


def test_one_object_counts_as_a_list_of_one_and_null_as_none():
    assert [puller.value() for puller in [Puller(b'{"a":1}')] for _ in puller.items()] == [{"a": 1}]
    assert [1 for _ in Puller(b"null").items()] == []
    assert [1 for _ in Puller(b"[]").items()] == []


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"<html>", b"[1", b"[1,", b"[1 2]", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,}', b"{1:2}", b'{"a" 1}'),
        *(b"[NaN]", b"[Infinity]", b'["\xff"]', b"[1]x", b"[1]]", b'["a', b"nul", b"[" * 100_000, b'{"a":' * 50_000),
    ],
)
def test_a_body_that_goes_wrong_anywhere_is_not_believed(body):
    with pytest.raises(BadAnswer):
        pulled(body) if not body.startswith((b"[[[", b'{"a":{"a"')) else Puller(body).value()


def test_a_byte_order_mark_is_passed_over():
    assert pulled(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@given(st.binary(max_size=200))
def test_nothing_else_is_ever_raised(body):
    with suppress(BadAnswer):
        pulled(body)


def test_a_value_that_would_have_to_be_held_whole_is_refused():
    assert pulled(json.dumps(["a" * 7_000_000]).encode()) == ["a" * 7_000_000]
    with pytest.raises(BadAnswer, match="does not end within"):
        pulled(json.dumps({"a": "a" * 9_000_000, "b": 1}).encode())
