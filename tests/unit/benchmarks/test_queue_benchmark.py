"""The queue's benchmark compares like with like, and its clockwork counts right."""

from __future__ import annotations

import asyncio
import io
import os
import time

import pytest
from celery import current_app
from django.conf import settings

from benchmarks import __main__ as program
from benchmarks import queue_bare, queue_marks, queue_sender
from benchmarks.pairs import Bound, Contest, SelfTimed
from benchmarks.queue_documents import ANSWER, Documents
from benchmarks.queue_marks import Mark, Marks

# What makes the desk's queue the desk's: where the broker is, which queues there are, who reads, beats and logs.
THE_DESKS_OWN = {
    "broker_url",
    "broker_transport",
    "task_create_missing_queues",
    "task_queues",
    "task_routes",
    "beat_scheduler",
    "beat_max_loop_interval",
    "worker_hijack_root_logger",
    "worker_redirect_stdouts",
    "db_reuse_max",
}


def of_desk():
    found = {
        name.removeprefix("CELERY_").lower(): getattr(settings, name) for name in dir(settings) if name.startswith("CELERY_")
    }
    return {name: value for name, value in found.items() if name not in THE_DESKS_OWN}


def test_bare_celery_has_every_safety_setting_of_the_desk():
    bare, desk = dict(queue_bare.SETTINGS), of_desk()
    assert bare.pop("task_default_queue") != desk.pop("task_default_queue")
    options, of_broker = dict(bare.pop("broker_transport_options")), dict(desk.pop("broker_transport_options"))
    assert options.pop("global_keyprefix") != of_broker.pop("global_keyprefix")
    assert (bare, options) == (desk, of_broker)
    assert len(desk) > 20


def test_bare_celery_knows_nothing_of_django():
    assert vars(queue_bare.app)["fixups"] == []
    assert current_app.main == "bellwether"
    assert [kind.__module__ for kind in type(queue_bare.app.tasks["bare.nothing"]).__mro__[1:]] == [
        "celery.app.task",
        "celery.app.task",
        "builtins",
    ]


def test_parts_of_a_comparison_are_no_comparisons():
    names = program.names()
    assert "queue" in names
    assert [name for name in names if name.startswith("queue_")] == []


@pytest.fixture
def marks(tmp_path, monkeypatch):
    found = Marks(tmp_path)
    monkeypatch.setenv(queue_marks.PIPE_VARIABLE, str(found.path))
    queue_marks._pipe.cache_clear()
    yield found
    os.close(queue_marks._pipe(os.getpid()))
    queue_marks._pipe.cache_clear()
    found.close()


def test_marks_come_out_as_they_went_in(marks):
    for number in (3, 1, 2):
        queue_marks.mark(number)
    assert [mark.sent_ns for mark in marks.take(3, timeout_s=5)] == [3, 1, 2]


def test_more_marks_than_one_read_can_hold_all_come_out(marks):
    for number in range(10_000):
        queue_marks.mark(number)
    assert [mark.sent_ns for mark in marks.take(10_000, timeout_s=5)] == list(range(10_000))


def test_a_job_that_did_not_run_is_missed(marks):
    queue_marks.mark(1)
    with pytest.raises(TimeoutError, match="1 of 2 jobs did not run"):
        marks.take(2, timeout_s=0.05)


def test_what_one_run_leaves_is_not_taken_for_the_next_ones(marks):
    for number in range(3):
        queue_marks.mark(number)
    assert [mark.sent_ns for mark in marks.take(2, timeout_s=5)] == [0, 1]
    assert [mark.sent_ns for mark in marks.take(1, timeout_s=5)] == [2]


def test_a_wait_is_the_time_from_sending_to_running(marks):
    before_ns = time.monotonic_ns()
    queue_marks.mark(before_ns)
    (mark,) = marks.take(1, timeout_s=5)
    assert before_ns <= mark.ran_ns <= time.monotonic_ns()
    assert Mark(sent_ns=1_000_000, ran_ns=3_500_000).wait_ms == 2.5


def test_a_producer_follows_its_orders_and_says_so():
    sent: list[int] = []
    answers = io.StringIO()
    queue_sender.serve({"plain": sent.append}, io.StringIO("plain 3\nplain 5\n"), answers)
    assert sent == [3, 5]
    assert answers.getvalue() == "sent\nsent\n"


def contest(kind=Contest, **more):
    sides = {"run_ours": lambda: 0.001, "run_theirs": lambda: 0.002}
    return kind(name="a", ours="b", theirs="c", units=10, rounds=3, **(sides | more))


def test_a_self_timed_side_counts_what_it_returned():
    found = contest(SelfTimed, at_least=1.5).measure()
    assert (found.ours_us, found.theirs_us, found.ratio, found.holds) == (100.0, 200.0, 2.0, True)
    assert contest(SelfTimed, at_least=2.5).measure().holds is False
    assert contest(SelfTimed, at_most=0.4).measure().holds is False


def test_a_contest_without_a_promise_always_holds_and_says_that_there_is_none():
    found = contest(SelfTimed).measure()
    assert (found.target, found.ratio, found.holds) == ("none", 2.0, True)


def test_a_bound_compares_the_median_of_its_rounds_and_forgets_the_first():
    figures = iter([1_000.0, 5.0, 1.0, 3.0])
    found = Bound(name="a", unit="ms", run=lambda: next(figures), at_most=3.0, rounds=3).measure()
    assert (found.figure, found.least, found.most, found.holds) == (3.0, 1.0, 5.0, True)
    assert Bound(name="a", unit="ms", run=lambda: 3.1, at_most=3.0, rounds=3).measure().holds is False
    assert Bound(name="a", unit="ms", run=lambda: 3.1, at_least=3.2, rounds=3).measure().holds is False


class Wire(asyncio.WriteTransport):
    """Keeps what was written to it."""

    def __init__(self):
        super().__init__()
        self.written = b""

    def write(self, data):
        self.written += bytes(data)


def test_the_cheap_vendor_answers_each_request_once_when_it_is_whole():
    request, wire, vendor = b"GET /doc/1 HTTP/1.1\r\nHost: a\r\n\r\n", Wire(), Documents()
    vendor.connection_made(wire)
    vendor.data_received(request[:20])
    assert wire.written == b""
    vendor.data_received(request[20:] + request + request[:5])
    assert wire.written == ANSWER * 2
    vendor.data_received(request[5:])
    assert wire.written == ANSWER * 3
