"""What waits for slots is text: what the mover takes for a message, and whose place goes to whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection

from apps.resilience import PaidSlot
from project.celery import app
from tasks.letters import Letter, heirs_of, jobs_of, read_letter

BOOKS = "tasks.ingest.books"
JOB = {"task": BOOKS, "id": "4be3", "kwargs": {}, "queue": "fetch", "headers": {"job": "job_1"}, "expires_at_s": None}
PLAIN = {"task": BOOKS, "id": "4be3", "kwargs": {"source": "reddit"}}
SLOT = PaidSlot(source="reddit", at_us=1, interval_us=1)
jsons: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from([*JOB, "slot", "args"])


def published(letter: Letter) -> list[dict[str, Any]]:
    """Send a letter through kombu's own transport in memory, and return what came."""
    with Connection("memory://") as broker, broker.channel() as channel:
        queue = letter.queue or "fetch"
        app.amqp.queues[queue](channel).declare()
        app.amqp.queues[queue](channel).purge()
        letter.publish(SLOT, app.amqp.Producer(channel))
        found = []
        while message := app.amqp.queues[queue](channel).get(no_ack=True):
            found.append({"headers": message.headers, "body": message.payload})
        return found


@pytest.mark.parametrize("said", [JOB, PLAIN, {**JOB, "headers": {"job": "job_1", "first": True, "again": 3}}])
def test_what_the_desk_wrote_is_read_and_sent_as_it_was_meant(said):
    letter = read_letter(json.dumps(said))
    assert isinstance(letter, Letter)
    assert read_letter(letter.as_text()) == letter
    (message,) = published(letter)
    assert (message["headers"]["task"], message["headers"]["id"]) == (BOOKS, "4be3")
    assert message["headers"]["slot"] == SLOT.as_header()
    assert message["body"][:2] == [[], said["kwargs"]]
    assert message["headers"].get("job") == said.get("headers", {}).get("job")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not-json"),
        ("{", "not-json"),
        ("\udcff\udcfe", "not-json"),
        ("[" * 40 + "]" * 40, "too-deep"),
        (" " * 1_048_577, "too-big"),
        ("[]", "bad-shape"),
        (json.dumps({"task": BOOKS, "id": "1"}), "bad-shape"),
        (json.dumps({**JOB, "of_a_later_version": 1}), "bad-shape"),
        (json.dumps({**JOB, "queue": "nonsense"}), "bad-shape"),
        (json.dumps({**JOB, "queue": ["fetch"]}), "bad-shape"),
        (json.dumps({**JOB, "headers": {"job": "job_1", "task": "tasks.trade.submit"}}), "bad-shape"),
        (json.dumps({**JOB, "headers": {"job": "job\x00"}}), "bad-shape"),
        (json.dumps({**JOB, "headers": {"again": 11}}), "bad-shape"),
        (json.dumps({**JOB, "headers": None}), "bad-shape"),
        (json.dumps({**JOB, "id": 7}), "bad-shape"),
        (json.dumps({**JOB, "task": "tasks.nobody.knows"}), "unknown-task"),
        (json.dumps({**JOB, "task": None}), "unknown-task"),
        (json.dumps({**JOB, "kwargs": {"source": "reddit"}}), "forged"),
        (json.dumps({**PLAIN, "kwargs": {"source": "reddit", "tenant_id": "tnt_1"}}), "forged"),
        (json.dumps({**PLAIN, "kwargs": {}}), "arguments"),
        (json.dumps({**PLAIN, "kwargs": None}), "arguments"),
        (json.dumps({**JOB, "expires_at_s": float("nan")}), "eta"),
        (json.dumps({**JOB, "expires_at_s": 1e18}), "eta"),
        (json.dumps({**JOB, "expires_at_s": True}), "eta"),
    ],
)
def test_what_the_desk_did_not_write_is_none_and_has_its_reason(text, reason):
    assert read_letter(text) == reason


@given(text=st.text() | jsons.map(json.dumps) | st.binary().map(lambda raw: raw.decode(errors="surrogateescape")))
def test_garbage_is_read_without_an_error(text):
    assert isinstance(read_letter(text), str)


@given(name=NAMES, value=jsons, base=st.sampled_from([JOB, PLAIN]))
def test_whatever_is_read_can_be_sent(name, value, base):
    letter = read_letter(json.dumps({**base, name: value}))
    if isinstance(letter, Letter):
        (message,) = published(letter)
        assert message["headers"]["task"] == BOOKS
        assert letter.has_expired in (True, False)
        assert letter.to_job("job_2").job_id == "job_2"


def letter(job: str = "", **more: Any) -> Letter:
    return Letter(task=BOOKS, id="4be3", kwargs={}, headers={"job": job} if job else {}, **more)


def test_only_what_nobody_wants_gives_its_place_away():
    waiting = {"a": letter("job_a"), "b": letter("job_b"), "c": letter("job_c"), "d": letter(), "e": letter(expires_at_s=1.0)}
    heirs = heirs_of({**waiting, "f": "not-json"}, {"job_a": "job_a", "job_b": "job_new"})
    assert jobs_of([*waiting.values(), "not-json"]) == ["job_a", "job_b", "job_c"]
    assert heirs.keys() == {"b", "c", "e", "f"}
    assert heirs["c"] is heirs["e"] is heirs["f"] is None
    heir = heirs["b"]
    assert heir is not None
    assert heir.id == letter("job_new").name
    made = read_letter(heir.body)
    assert isinstance(made, Letter)
    assert (made.job_id, made.task) == ("job_new", BOOKS)
    assert made.id != "4be3"
