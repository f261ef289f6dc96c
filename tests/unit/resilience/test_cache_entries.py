"""How values look in Redis: they come back as they were, or are found to be damaged."""

from __future__ import annotations

import hashlib
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.resilience.cache_failures import error_of, failure_of
from apps.resilience.cache_ports import Entry, EntryDamaged, Failure
from apps.resilience.errors import AddressRefused, BadBody, BreakerOpen, CallFailed, ConnectionFailed, HttpStatus, TimedOut
from apps.resilience.freshness import CacheRule
from apps.resilience.stores.cache_entries import decode, decode_failure, encode, encode_failure

moments = st.floats(0, 4e9)
entries = st.builds(
    Entry,
    value=st.one_of(st.binary(max_size=200), st.binary(max_size=50).map(lambda part: part * 1_000)),
    meta=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3),
    stored_at_s=moments,
    kept_s=st.floats(0.001, 1e7),
    cost_s=st.floats(0, 100),
    fence=st.integers(0, 2**53),
)
failures = st.builds(
    Failure,
    code=st.text(max_size=10),
    message=st.text(max_size=50),
    transient=st.booleans(),
    failed_at_s=moments,
    kept_s=st.floats(0, 100),
    status=st.one_of(st.none(), st.integers(400, 599)),
    retry_after_s=st.one_of(st.none(), st.floats(0, 100)),
    fence=st.integers(0, 2**53),
)
RULE = CacheRule(fresh_s=60)


@given(entry=entries)
def test_a_value_comes_back_as_it_was(entry):
    head, body = encode(entry)
    assert decode(head, body, fence=entry.fence) == entry


@given(failure=failures)
def test_a_failure_comes_back_as_it_was(failure):
    assert decode_failure(encode_failure(failure)) == failure


@given(entry=entries, data=st.data())
def test_a_body_that_was_cut_or_changed_is_found_out(entry, data):
    head, body = encode(entry)
    place = data.draw(st.integers(0, len(body)))
    spoiled = data.draw(st.sampled_from([body[:place], body[:place] + b"?" + body[place + 1 :], body + b"more"]))
    try:
        assert decode(head, spoiled, fence=entry.fence) == entry
    except EntryDamaged:
        assert spoiled != body


@given(
    head=st.one_of(
        st.binary(max_size=100),
        st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists).map(lambda thing: json.dumps(thing).encode()),
    )
)
def test_a_foreign_head_is_found_out(head):
    with pytest.raises(EntryDamaged):
        decode(head, b"body", fence=1)
    with pytest.raises(EntryDamaged):
        decode_failure(head)


@pytest.mark.parametrize(
    "change",
    [
        {"stored_at_s": float("nan")},
        {"stored_at_s": float("inf")},
        {"kept_s": "long"},
        {"meta": 3},
        {"size": -1},
        {"version": 2},
        {"packed": True},
    ],
)
def test_a_head_with_a_wrong_field_is_found_out(change):
    head, body = encode(Entry(value=b"value", meta={}, stored_at_s=1.0, kept_s=1.0))
    with pytest.raises(EntryDamaged):
        decode(json.dumps(json.loads(head) | change).encode(), body, fence=1)


def test_a_body_that_would_unpack_to_more_than_it_says_is_not_unpacked():
    head, _ = encode(Entry(value=b"a" * 10_000, meta={}, stored_at_s=1.0, kept_s=1.0))
    with pytest.raises(EntryDamaged):
        decode(head, zlib.compress(b"a" * 100_000_000, 9), fence=1)


def test_only_large_values_that_shrink_are_packed():
    def size_of(value):
        return len(encode(Entry(value=value, meta={}, stored_at_s=1.0, kept_s=1.0))[1])

    noise = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(200))
    assert size_of(b"a" * 4_095) == 4_095
    assert size_of(b"a" * 4_096) < 100
    assert size_of(noise) == 6_400


@pytest.mark.parametrize(
    "error", [TimedOut("late"), BreakerOpen("open", retry_after_s=3.0), AddressRefused("no"), BadBody("cut")]
)
def test_an_error_of_the_kit_comes_back_as_its_own_kind(error):
    again = error_of(failure_of(error, RULE, at_s=1.0))
    assert (type(again), str(again), again.code, again.transient) == (type(error), str(error), error.code, error.transient)
    assert again.retry_after_s == error.retry_after_s


def test_a_status_comes_back_with_its_number():
    again = error_of(failure_of(HttpStatus(404, body=b"secret"), RULE, at_s=1.0))
    assert isinstance(again, HttpStatus)
    assert (again.status, again.transient, again.body) == (404, False, b"")


def test_what_is_remembered_of_an_error_tells_no_secrets():
    reason = failure_of(ConnectionFailed("cannot reach https://x.test/v1?apikey=SECRET"), RULE, at_s=1.0).reason
    assert reason.startswith("connection-failed: cannot reach")
    assert "SECRET" not in reason


def test_an_error_of_another_family_comes_back_as_a_failed_call_with_its_code():
    again = error_of(failure_of(KeyError("price"), RULE, at_s=1.0))
    assert (type(again), again.code, again.transient, str(again)) == (CallFailed, "KeyError", True, "'price'")
