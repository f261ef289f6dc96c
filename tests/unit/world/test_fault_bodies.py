"""Spoilt bodies are spoilt in one way and otherwise the true ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer
from apps.sources.strict import parse_json
from apps.sources.world import fault_bodies

NOW_S = 1_800_000_000.0
TRUE = {
    "id": "17",
    "price": "0.53",
    "bestBid": 0.5,
    "at": 1_799_999_999,
    "at_ms": "1799999999500",
    "day": "2027-01-15T08:00:00Z",
    "outcomePrices": '["0.4", "0.6"]',
    "open": [1.0, None, 3.0],
    "flag": True,
    "empty": [],
}
BODY = json.dumps([TRUE]).encode()


@pytest.mark.parametrize("as_what", ["bom", "utf-16", "utf-16-be", "utf-32", "latin-1", "zero-bytes"])
@pytest.mark.parametrize("body", [BODY, b"[]"])
def test_no_other_encoding_is_read(as_what, body):
    with pytest.raises(BadAnswer):
        parse_json(fault_bodies.encoded(body, as_what))


@pytest.mark.parametrize("body", [BODY, b"[]", b'{"a":{"b":1}}'])
def test_a_duplicate_key_is_what_python_would_read_and_we_do_not(body):
    spoilt = fault_bodies.with_duplicate_key(body)
    assert body in (b"[]",) or json.loads(spoilt) == json.loads(body)
    with pytest.raises(BadAnswer, match="twice"):
        parse_json(spoilt)


def test_a_number_is_put_in_place_of_the_first_or_of_every_one():
    first = fault_bodies.with_number(BODY, "NaN", every=False)
    assert first.count(b"NaN") == 1
    assert b'"id":NaN' in first
    assert fault_bodies.with_number(BODY, "1e400", every=True).count(b"1e400") == 7
    assert fault_bodies.with_number(b'[{"a":"b"}]', "Infinity", every=False) == b"[Infinity]"


def test_prices_are_scaled_wherever_they_stand():
    (row,) = json.loads(fault_bodies.scaled(BODY, 100.0, every=1))
    assert (row["price"], row["bestBid"], row["open"]) == ("53.000", 50.0, [100.0, None, 300.0])
    assert json.loads(row["outcomePrices"]) == ["40.00", "60.00"]
    assert (row["id"], row["at"]) == (TRUE["id"], TRUE["at"])
    (row,) = json.loads(fault_bodies.scaled(BODY, 100.0, every=3))
    assert (row["price"], row["bestBid"], json.loads(row["outcomePrices"])) == ("53.000", 0.5, ["0.4", "60.00"])


def test_moments_near_now_are_moved_back_and_nothing_else():
    (row,) = json.loads(fault_bodies.moved_back(BODY, 3_600, now_s=NOW_S))
    assert (row["at"], row["at_ms"], row["day"]) == (1_799_996_399, "1799996399500", "2027-01-15T07:00:00+00:00")
    assert {name: row[name] for name in ("id", "price", "open", "flag")} == {
        name: TRUE[name] for name in ("id", "price", "open", "flag")
    }


def test_every_value_is_of_another_type():
    (row,) = json.loads(fault_bodies.with_wrong_types(BODY, 1))
    assert list(row) == list(TRUE)
    for name, value in TRUE.items():
        assert value == [] or type(row[name]) is not type(value) or row[name] != value
    changed = json.loads(fault_bodies.with_wrong_types(BODY, 10))[0]
    assert sum(changed[name] != TRUE[name] for name in TRUE) == 2


@pytest.mark.parametrize("of", ["arrays", "objects"])
def test_depth_is_nothing_but_depth(of):
    assert len(json.loads(fault_bodies.deep(3, of))) == 1
    with pytest.raises(BadAnswer, match="nested more than 64"):
        parse_json(fault_bodies.deep(65, of))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_any_true_body_can_be_spoilt_in_every_way(value):
    body = json.dumps(value).encode()
    for spoilt in (
        fault_bodies.scaled(body, -0.5, every=1),
        fault_bodies.moved_back(body, 60, now_s=NOW_S),
        fault_bodies.with_wrong_types(body, 1),
    ):
        json.loads(spoilt)
    fault_bodies.with_duplicate_key(body)
    assert b"NaN" in fault_bodies.with_number(body, "NaN", every=False)
