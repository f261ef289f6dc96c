"""Reading strictly: exact numbers, true types, and nothing but the room's own errors whatever comes."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import EXCERPT_LENGTH, BadAnswer, BadRow
from apps.sources.nesting import is_deeper_than
from apps.sources.strict import Row, excerpt_of, moment_of_milliseconds, number_in, parse_json

ZERO = Decimal(0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"   ", "empty"),
        (b"<html><body>Just a moment...</body></html>", "HTML"),
        (b"\n  <!DOCTYPE html>", "HTML"),
        (b'{"markets": [{"id": ', "not JSON"),
        (b'{"p": NaN}', "the body holds NaN, which is not JSON"),
        (b"[Infinity]", "not JSON"),
        (b"[-Infinity]", "not JSON"),
        (b"\xff\xfe\x00", "byte order mark"),
        (b"\xef\xbb\xbf[]", "byte order mark"),
        ("[1]".encode("utf-16"), "byte order mark"),
        ("[1]".encode("utf-16-be"), "not UTF-8"),
        ("[1]".encode("utf-32-le"), "not UTF-8"),
        ('["é"]'.encode("latin-1"), "not UTF-8"),
        (b"[" * 200_000, "nested more than 64 levels deep"),
        (b"[" * 65 + b"]" * 65, "nested more than 64 levels deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested more than 64 levels deep"),
        (b"[[]," * 90_000 + b"1" + b"]" * 90_000, "nested more than 64 levels deep"),
        (b'[{"p": 1, "q": 2, "p": 3}]', "has the key 'p' twice in one object"),
        (b'{"a": [{"b": {"": 0, "": 0}}]}', "has the key '' twice in one object"),
        (b'{"p": 1, "\\u0070": 1}', "has the key 'p' twice in one object"),
        (b"error code: 1015", "not JSON"),
        (b"[1] [2]", "not JSON"),
    ],
)
def test_a_body_that_is_not_json_is_refused_whole(body, reason):
    with pytest.raises(BadAnswer, match=reason):
        parse_json(body)


def test_brackets_in_texts_and_64_levels_are_no_reason_to_refuse():
    assert parse_json(b'{"q": "who [ {"}') == {"q": "who [ {"}
    assert parse_json(b'["]]]]", ["[[[[", "\\"["]]') == ["]]]]", ["[[[[", '"[']]
    assert parse_json(b"[" * 64 + b"]" * 64) is not None
    assert parse_json(b'[{"a [[": {"b": "]"}}, {"a [[": 1}]') == [{"a [[": {"b": "]"}}, {"a [[": 1}]


texts = st.text(alphabet=st.characters(exclude_characters="[]{}", exclude_categories=["Cs"]), max_size=5)
nested = st.recursive(texts | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@given(nested, st.integers(0, 6))
def test_the_depth_is_the_true_one(value, depth_max):
    def depth(part) -> int:
        inner = list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    assert is_deeper_than(json.dumps(value, ensure_ascii=False).encode(), depth_max) is (depth(value) > depth_max)


def test_levels_hidden_by_brackets_in_texts_are_refused_all_the_same():
    with pytest.raises(BadAnswer, match="not JSON"):
        parse_json(b'["]",' * 100_000 + b'"["]' * 100_000)


@given(st.binary(max_size=300))
def test_any_bytes_are_json_or_a_bad_answer(body):
    with suppress(BadAnswer):
        parse_json(body)


def test_one_number_beyond_all_bounds_costs_its_own_row_only():
    rows: Any = parse_json(b'[{"size": ' + b"9" * 5_000 + b'}, {"size": 1e999999999}, {"size": 5}]')
    for row in rows[:2]:
        with pytest.raises(BadRow, match="size is not a plausible number"):
            Row(row).number("size", low=ZERO)
    assert Row(rows[2]).number("size", low=ZERO) == 5


def test_numbers_keep_every_digit():
    assert parse_json(b"[0.1, 30335.869374999984, 1e-7]") == [Decimal("0.1"), Decimal("30335.869374999984"), Decimal("1E-7")]


@given(st.binary(max_size=10_000))
def test_an_excerpt_of_anything_can_be_stored(body):
    excerpt = excerpt_of(body)
    assert len(excerpt) <= EXCERPT_LENGTH
    assert "\x00" not in excerpt
    assert excerpt.encode().decode() == excerpt


@pytest.mark.parametrize("value", [None, 5, True, "", "x" * 2_001, "zero\x00byte", "half \ud800 pair", ["x"]])
def test_what_is_no_text_is_refused_by_name(value):
    with pytest.raises(BadRow, match="slug"):
        Row({"slug": value}).text("slug")


@pytest.mark.parametrize("value", [None, True, "5", Decimal(-1), Decimal("1e400"), 10**18, [], Decimal("1e-500")])
def test_what_is_no_number_in_bounds_is_refused_by_name(value):
    with pytest.raises(BadRow, match="size"):
        Row({"size": value}).number("size", low=ZERO)


@pytest.mark.parametrize("text", ["", "NaN", "inf", "1_000", " 5", "５", "1e999999999", "0x10", "--5", ".", "1" * 61, "-1"])
def test_what_is_no_number_inside_a_text_is_refused_by_name(text):
    with pytest.raises(BadRow, match="price"):
        number_in(text, "price", low=ZERO)


@pytest.mark.parametrize(
    "value", ["soon", "2026-06-08", "2026-06-08T00:00:00", "9999-12-31T23:59:59-14:00", 5, None, "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_moment_with_an_offset_is_refused_by_name(value):
    with pytest.raises(BadRow, match="endDate"):
        Row({"endDate": value}).moment("endDate")


@pytest.mark.parametrize("text", ["2026-06-08T00:00:16Z", "2026-06-08 00:00:16+00", "2026-06-08T02:00:16+02:00"])
def test_moments_come_in_several_spellings(text):
    assert Row({"at": text}).moment("at") == datetime(2026, 6, 8, 0, 0, 16, tzinfo=UTC)


def test_milliseconds_keep_their_thousandths():
    assert moment_of_milliseconds("1780876500123", "timestamp") == datetime(2026, 6, 7, 23, 55, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["[1, 2]", "[null]", '{"a": 1}', "Up, Down", "[", 5, None, ["Up", "Down"], '["' + "x" * 3_000 + '"]']
)
def test_lists_that_should_be_json_inside_a_text_are_refused_otherwise(value):
    with pytest.raises(BadRow, match="outcomes"):
        Row({"outcomes": value}).texts_in_text("outcomes")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(value=json_values)
def test_every_reader_returns_or_raises_bad_row(value):
    row = Row({"x": value})
    readers = [
        lambda: row.text("x"),
        lambda: row.text_or("x", ""),
        lambda: row.flag("x"),
        lambda: row.flag("x", default=False),
        lambda: row.number("x", low=ZERO),
        lambda: row.number_text("x", low=ZERO),
        lambda: row.moment("x"),
        lambda: row.moment_or_none("x"),
        lambda: row.seconds_moment("x"),
        lambda: row.row("x"),
        lambda: row.items("x"),
        lambda: row.texts_in_text("x"),
    ]
    reasons = []
    for read in readers:
        try:
            read()
        except BadRow as error:
            reasons.append(error.reason)
    assert len(reasons) >= 6
    assert all(reason.startswith("x ") for reason in reasons)
