"""When a run of the recorded world is over; the world here is a tiny server with the true status document."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from project.local import ending as module
from project.local.ending import GRACE_S, Ending, read_report
from project.local.probe import answers, read_json


class World:
    """Serves `status` at /_world/status; None means that it answers 500."""

    def __init__(self):
        self.status = {"finished": False, "position_at": "2026-09-28T10:00:00Z", "ends_at": in_s(60)}
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                is_known = self.path == "/_world/status" and world.status is not None
                self.send_response(200 if is_known else 500)
                self.end_headers()
                self.wfile.write(json.dumps(world.status).encode() if is_known else b"")

            def log_message(self, *words):
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.server.server_port


class FakeClock:
    """Stands in for the monotonic clock."""

    def __init__(self):
        self.s = 1000.0

    def __call__(self):
        return self.s


def in_s(seconds):
    return (datetime.now(tz=UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.fixture
def world():
    made = World()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


@pytest.fixture
def clock(monkeypatch):
    made = FakeClock()
    monkeypatch.setattr(module, "monotonic_s", made)
    return made


@pytest.fixture
def asked():
    return []


class Manage:
    """Stands in for management commands; `pending` is what the desk has open."""

    def __init__(self, asked):
        self.asked, self.pending = asked, 0

    def __call__(self, *words):
        self.asked.append(words)
        return 0, f"a line of log\n{json.dumps({'pending': self.pending})}\n"


@pytest.fixture
def manage(asked):
    return Manage(asked)


@pytest.fixture
def ending(world, clock, manage):
    return Ending(world.port, manage, clock())


def looks_again(ending, clock, after_s=3.0):
    clock.s += after_s
    return ending.has_come()


def test_while_the_world_plays_the_desk_is_not_asked(ending, asked):
    assert not ending.has_come()
    assert asked == []
    assert "not at its end" in ending.missing


def test_it_is_over_when_the_world_is_finished_and_nothing_is_open(world, ending, asked):
    world.status["finished"] = True
    assert ending.has_come()
    assert ending.missing == ""
    assert asked == [("desk_report", "--json", "--pending")]


def test_open_settlements_are_waited_for_and_asked_about_every_three_seconds_at_most(world, ending, clock, asked, manage):
    world.status["finished"] = True
    manage.pending = 2
    assert not ending.has_come()
    assert not looks_again(ending, clock, after_s=2.9)
    assert len(asked) == 1
    manage.pending = 0
    assert looks_again(ending, clock, after_s=0.2)
    assert ending.missing == ""


def test_when_time_is_up_it_is_over_and_says_what_is_missing(world, ending, clock, manage):
    world.status["finished"] = True
    manage.pending = 2
    assert not ending.has_come()
    assert not looks_again(ending, clock, after_s=60 + GRACE_S - 10)
    assert looks_again(ending, clock, after_s=20)
    assert ending.missing == 'not settled in time: {"pending": 2}'


def test_a_world_that_never_answers_does_not_hold_the_run_for_ever(world, ending, clock):
    world.status = None
    assert not ending.has_come()
    assert looks_again(ending, clock, after_s=GRACE_S + 1)
    assert ending.missing == "the recorded world does not answer"


def test_a_world_that_is_away_for_a_moment_does_not_end_the_run(world, ending, clock):
    assert not ending.has_come()
    kept, world.status = world.status, None
    assert not looks_again(ending, clock, after_s=30)
    world.status = kept | {"finished": True}
    assert looks_again(ending, clock)
    assert ending.missing == ""


def test_an_answer_of_the_report_that_is_no_json_counts_as_not_settled(world, ending):
    world.status["finished"] = True
    ending.run_manage = lambda *words: (1, "Traceback\n")
    assert not ending.has_come()
    assert ending.missing


@pytest.mark.parametrize("output", ["", "\n", "text", "[1]", '{"cut": '])
def test_output_without_a_json_object_is_an_empty_report(output):
    assert read_report(output) == {}


def test_probes_tell_a_good_answer_from_none(world):
    assert answers(world.port, "/_world/status")
    assert not answers(world.port, "/elsewhere")
    assert read_json(world.port, "/elsewhere") is None
    world.server.shutdown()
    world.server.server_close()
    assert not answers(world.port, "/_world/status")
