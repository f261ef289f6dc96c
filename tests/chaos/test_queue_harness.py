"""The harness of the queue's chaos tests sees what it must see: doubled effects, lost attempts, a wire gone deaf."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from tests.chaos.queue_effects import Note, interrupted_by, percentile, read_notes, write_note
from tests.chaos.queue_faults import DroppingProxy, Faults, children_of, marked_with, state_of


def begin(number, pid, at_s):
    return Note("begin", (number,), pid, at_s)


def end(number, pid, at_s):
    return Note("end", (number,), pid, at_s)


def test_a_body_under_way_in_a_killed_process_counts_as_interrupted_until_its_next_attempt():
    notes = [begin(1, 10, 1.0), begin(2, 11, 1.0), end(2, 11, 2.0), begin(1, 12, 20.0), end(1, 12, 21.0)]
    [one] = interrupted_by(notes, [(3.0, [10, 11])])
    assert (one.number, one.killed_at_s, one.retried_at_s, one.delay_s) == (1, 3.0, 20.0, 17.0)


def test_a_body_that_nobody_tried_again_is_late_for_ever():
    [one] = interrupted_by([begin(1, 10, 1.0)], [(3.0, [10])])
    assert one.delay_s == float("inf")


def test_a_body_that_nobody_killed_is_not_interrupted():
    assert interrupted_by([begin(1, 10, 1.0)], [(3.0, [99])]) == []


def test_every_row_of_a_killed_batch_is_interrupted():
    batch = Note("begin", (1, 2, 3), 10, 1.0)
    found = interrupted_by([batch, begin(2, 12, 9.0)], [(3.0, [10])])
    assert {one.number: one.delay_s for one in found} == {1: float("inf"), 2: 6.0, 3: float("inf")}


def test_the_percentile_is_a_value_that_was_seen():
    assert percentile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert percentile([5.0, 1.0, 3.0], 0.99) == 5.0


def test_notes_are_read_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setenv("QUEUE_CHAOS_NOTES", str(tmp_path / "notes"))
    write_note("begin", [1, 2])
    write_note("end", [1, 2])
    notes = read_notes(tmp_path / "notes")
    assert [(note.what, note.numbers, note.pid) for note in notes] == [
        ("begin", (1, 2), os.getpid()),
        ("end", (1, 2), os.getpid()),
    ]


@pytest.mark.chaos
def test_a_fault_counts_only_when_it_met_a_living_process():
    faults = Faults(seed=1)
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={"QUEUE_TEST_MARK": "here"})
    try:
        assert sleeper.pid in children_of(os.getpid())
        assert marked_with("QUEUE_TEST_MARK", "here") == [sleeper.pid]
        faults.freeze("freeze", [sleeper.pid])
        assert faults.kill("kill child", [sleeper.pid])
    finally:
        sleeper.kill()
        assert sleeper.wait() == -signal.SIGKILL
    assert state_of(sleeper.pid) == ""
    assert not faults.kill("kill child", [sleeper.pid])
    assert marked_with("QUEUE_TEST_MARK", "here") == []
    assert (faults.count("kill"), faults.count()) == (1, 2)
    [(_, pids)] = faults.deaths()
    assert pids == (sleeper.pid,)


@pytest.fixture
def echo():
    """A server that answers what it is told, on a free port, behind a proxy."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(100):
                connection.sendall(data)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    proxy = DroppingProxy(listener.getsockname()[1])
    yield proxy
    proxy.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def call(proxy: DroppingProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=0.5)


def is_answered(connection: socket.socket) -> bool:
    connection.sendall(b"hello")
    try:
        return connection.recv(100) == b"hello"
    except TimeoutError:
        return False


def test_a_swallowed_connection_is_deaf_and_says_nothing_while_new_ones_work(echo):
    with call(echo) as old:
        assert is_answered(old)
        assert echo.swallow_open() == 1
        assert not is_answered(old)
        with call(echo) as new:
            assert is_answered(new)
        assert not is_answered(old)


def test_when_all_is_swallowed_new_connections_open_and_are_deaf_too(echo):
    echo.swallow_all()
    with call(echo) as lost:
        assert not is_answered(lost)
        echo.heal()
        assert not is_answered(lost)
    with call(echo) as new:
        assert is_answered(new)
