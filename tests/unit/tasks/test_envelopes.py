"""A message that the desk cannot have sent is refused by reason, before Celery unpacks it."""

from __future__ import annotations

import base64
import json
import pickle
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.envelopes import DEPTH_MAX, SIZE_BYTES_MAX, Unfit, check_broadcast, check_message, check_unanswered, depth_of
from tasks.shapes import Shape, shape_of
from tests.unit.tasks.envelope_world import NOW, body, envelope, raw


def catalogue(*, source: str, page: int = 1, **_):
    return source, page


SHAPES = {"tasks.ingest.catalogue": shape_of(catalogue, time_limits=(60, 50)), "tasks.settle.due": Shape()}


def reason_for(message: bytes) -> str:
    try:
        check_message(message, shape_of=SHAPES.get, now=NOW)
    except Unfit as unfit:
        return unfit.reason
    return ""


def test_what_celery_sends_is_fit():
    assert reason_for(raw()) == ""
    assert reason_for(raw("tasks.settle.due", kwargs={})) == ""
    assert reason_for(raw(headers={"redelivered": True})) == ""
    assert reason_for(raw(headers={"expires": (NOW + timedelta(seconds=60)).isoformat()})) == ""
    assert reason_for(raw(headers={"eta": (NOW + timedelta(seconds=2)).isoformat(), "retries": 1})) == ""
    assert reason_for(raw(headers={"timelimit": [60, 50]})) == ""


def test_a_job_says_what_is_to_be_done_in_its_row_alone():
    assert reason_for(raw(headers={"job": "job_1"}, kwargs={})) == ""
    assert reason_for(raw(headers={"job": "job_1"}, kwargs={"source": "kalshi"})) == "forged"
    assert reason_for(raw(headers={"job": "job_1"}, args=[1], kwargs={})) == "forged"


@pytest.mark.parametrize("name", ["tenant", "tenant_id"])
def test_a_tenant_is_not_believed_from_a_message(name):
    assert reason_for(raw(kwargs={"source": "kalshi", name: "ten_2"})) == "forged"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "not-json"),
        (b"\xff\xfe garbage", "not-json"),
        (b"null", "bad-shape"),
        (b"[]", "bad-shape"),
        (pickle.dumps({"task": "x"}), "not-json"),
        (b" " * (SIZE_BYTES_MAX + 1), "too-big"),
        (b"[" * 10_000 + b"]" * 10_000, "too-deep"),
        (b'{"a":' * 10_000, "too-deep"),
        (b'{"__type__": "decimal", "__value__": "x"}', "not-json"),
        (b'{"__type__": "datetime", "__value__": 5}', "not-json"),
        (b'{"__type__": "nonsense", "__value__": 5}', "not-json"),
        (b'{"\\u005f_type__": "nonsense", "__value__": 5}', "not-json"),
        ('{"body": "x"}'.encode("utf-16"), "not-json"),
        (raw(**{"content-type": "application/x-python-serialize"}), "content-type"),
        (raw(**{"content-encoding": "binary"}), "content-type"),
        (raw(headers={"compression": "application/x-gzip"}), "content-type"),
        (raw("tasks.none.such"), "unknown-task"),
        (raw("celery.backend_cleanup"), "unknown-task"),
        (raw(headers={"task": ["tasks.settle.due"]}), "unknown-task"),
        (raw(headers={"eta": "-5"}), "eta"),
        (raw(headers={"eta": -5}), "eta"),
        (raw(headers={"eta": "9999-12-31T23:59:59+00:00"}), "eta"),
        (raw(headers={"eta": "0001-01-01T00:00:00+14:00"}), "eta"),
        (raw(headers={"eta": "2026-11-22T12:00:01"}), "eta"),
        (raw(headers={"expires": "9999-12-31T23:59:59-14:00"}), "eta"),
        (raw(headers={"expires": {"a": 1}}), "eta"),
        (raw(headers={"timelimit": [None, 10**9]}), "time-limit"),
        (raw(headers={"timelimit": "never"}), "time-limit"),
        (raw(headers={"retries": -1}), "bad-shape"),
        (raw(headers={"retries": True}), "bad-shape"),
        (raw(headers={"id": 5}), "bad-shape"),
        (raw(headers={"called_directly": True}), "bad-shape"),
        (raw(headers={"is_eager": True}), "bad-shape"),
        (raw(headers={"update": 1}), "bad-shape"),
        (raw(headers={"job": {"id": 1}}), "bad-shape"),
        (raw(headers={"job": "job_\x00"}, kwargs={}), "bad-shape"),
        (raw(headers={"job": "job_\ud800"}, kwargs={}), "bad-shape"),
        (raw(headers={"job": ""}, kwargs={}), "bad-shape"),
        (raw(headers={"id": "\x00"}), "bad-shape"),
        (raw(headers={"stamped_headers": ["x"], "stamps": {"x": 1}}), "bad-shape"),
        (json.dumps(envelope() | {"headers": None}).encode(), "bad-shape"),
        (raw(properties={"delivery_tag": None}), "bad-shape"),
        (raw(properties={"delivery_info": "fetch"}), "bad-shape"),
        (raw(properties={"body_encoding": "rot13"}), "bad-shape"),
        (raw(properties={"priority": "high"}), "bad-shape"),
        (raw(body="%%%"), "not-json"),
        (raw(body=base64.b64encode(pickle.dumps([1])).decode()), "not-json"),
        (raw(body=base64.b64encode(b"[" * 10_000).decode()), "too-deep"),
        (raw(body=base64.b64encode(b"[[], {}]").decode()), "bad-shape"),
        (raw(embedded={"callbacks": [{"task": "tasks.settle.due"}]}), "canvas"),
        (raw(embedded={"chain": ["x"]}), "canvas"),
        (raw(args=["kalshi"]), "arguments"),
        (raw(kwargs={}), "arguments"),
        (raw(kwargs={"source": 5}), "arguments"),
        (raw(kwargs={"source": "kalshi", "page": "2"}), "arguments"),
        (raw(kwargs={"source": "kalshi", "page": True}), "arguments"),
        (raw(body=base64.b64encode(b'["args", {}, {}]').decode()), "arguments"),
        (raw(body=base64.b64encode(b"[[], [], {}]").decode()), "arguments"),
    ],
)
def test_what_nobody_of_us_sends_is_refused_by_reason(message, reason):
    assert reason_for(message) == reason


def test_brackets_in_text_do_not_nest():
    text = '"' + "[{" * 500 + '\\"' + "[" * 500 + '"'
    assert depth_of(f"[{text}]".encode(), limit=DEPTH_MAX) == 1
    assert reason_for(raw(headers={"kwargsrepr": "[" * 500})) == ""


def test_a_million_open_quotes_are_read_once():
    assert depth_of(b'"\\' * 500_000 + b"[" * 40, limit=DEPTH_MAX) <= DEPTH_MAX + 1


def kept(message=None, exchange="", routing_key="fetch") -> bytes:
    return json.dumps([envelope() if message is None else message, exchange, routing_key]).encode()


def test_an_unanswered_message_is_fit_as_kombu_keeps_it():
    check_unanswered(kept())
    check_unanswered(kept(envelope(properties={"priority": None}), "desk", "money"))
    check_unanswered(kept(envelope(headers={"deep": json.loads("[" * (DEPTH_MAX - 2) + "]" * (DEPTH_MAX - 2))})))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (b"\xff garbage", "not-json"),
        (b"[" * 200_000, "too-deep"),
        (b'"' + b"x" * (4 * SIZE_BYTES_MAX) + b'"', "too-big"),
        (b"{}", "bad-shape"),
        (b"[1, 2]", "bad-shape"),
        (kept([]), "bad-shape"),
        (kept(routing_key=5), "bad-shape"),
        (kept(exchange=None), "bad-shape"),
        (kept(envelope(headers={"deep": json.loads("[" * DEPTH_MAX + "]" * DEPTH_MAX)})), "too-deep"),
        (kept(envelope(properties={"delivery_info": []})), "bad-shape"),
        (kept(envelope(**{"content-type": "application/x-python-serialize"})), "content-type"),
    ],
)
def test_an_unanswered_message_that_nobody_could_put_back_is_refused_by_reason(entry, reason):
    with pytest.raises(Unfit) as refused:
        check_unanswered(entry)
    assert refused.value.reason == reason


def test_a_broadcast_needs_a_readable_envelope_alone():
    check_broadcast(raw("anything", kwargs={}))
    for message in (b"garbage", b"[" * 10_000, json.dumps({"body": "x"}).encode()):
        with pytest.raises(Unfit):
            check_broadcast(message)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PLACES = ["", "headers", "properties", "delivery_info"]


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_judged_without_an_accident(message):
    assert reason_for(message) != ""


@given(place=st.sampled_from(PLACES), value=values, data=st.data())
def test_a_message_with_anything_at_any_place_is_judged_without_an_accident(place, value, data):
    message = envelope()
    part = {"": message, "headers": message["headers"], "properties": message["properties"]}.get(
        place, message["properties"]["delivery_info"]
    )
    name = data.draw(st.sampled_from(sorted(part)) | st.text(max_size=10))
    part[name] = value
    assert isinstance(reason_for(json.dumps(message).encode()), str)


@given(args=values, kwargs=values, embedded=values)
def test_a_body_of_any_kind_is_judged_without_an_accident(args, kwargs, embedded):
    text = base64.b64encode(json.dumps([args, kwargs, embedded]).encode()).decode()
    reason = reason_for(raw(body=text))
    assert reason or (args == [] and isinstance(kwargs, dict) and isinstance(kwargs["source"], str))


def test_the_body_of_a_good_message_reads_as_it_was_written():
    assert json.loads(base64.b64decode(body(kwargs={"a": 1})))[1] == {"a": 1}
