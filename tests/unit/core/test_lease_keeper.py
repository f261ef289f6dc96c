"""The thread that keeps leases alive outlives whatever happens to it, and is there again when it did not."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter

import pytest
from structlog.testing import capture_logs

from apps.core import keeping
from apps.core.claims import StaleLease
from apps.core.keeping import Keeper


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    monkeypatch.setattr(keeping, "RENEW_EVERY_S", 0.0)
    monkeypatch.setattr(keeping, "LOOK_EVERY_S", 0.01)


class Renewals:
    """Counts the renewals of each name; what is in `errors` is raised instead."""

    def __init__(self, **errors: type[BaseException]) -> None:
        self.seen: Counter[str] = Counter()
        self.errors = errors

    def of(self, name: str):
        def renew() -> None:
            self.seen[name] += 1
            if name in self.errors:
                raise self.errors[name]

        return renew

    def wait_for(self, **times: int) -> None:
        until_s = time.monotonic() + 10
        while any(self.seen[name] < least for name, least in times.items()):
            assert time.monotonic() < until_s, self.seen
            time.sleep(0.005)


@pytest.mark.parametrize("error", [MemoryError, ValueError, KeyError])
def test_an_error_of_one_lease_ends_neither_the_thread_nor_the_other_leases(error):
    keeper, renewals = Keeper(), Renewals(bad=error)
    with capture_logs() as told, keeper.keep(renewals.of("bad")), keeper.keep(renewals.of("good")):
        renewals.wait_for(bad=3, good=3)
    assert [line for line in told if line["event"] == "lease_not_renewed"] != []


def test_a_lease_that_was_lost_is_not_asked_for_again():
    keeper, renewals = Keeper(), Renewals(lost=StaleLease)
    with keeper.keep(renewals.of("lost")), keeper.keep(renewals.of("good")):
        renewals.wait_for(good=3)
    assert renewals.seen["lost"] == 1


def test_an_error_that_cannot_even_be_told_is_told_at_the_next_look(monkeypatch):
    keeper, renewals, told = Keeper(), Renewals(bad=MemoryError), []

    class Log:
        def exception(self, *_, **__):
            raise MemoryError("none left for a line either")

        def error(self, event, **more):
            told.append((event, type(more["exc_info"])))

    monkeypatch.setattr(keeping, "log", Log())
    with keeper.keep(renewals.of("bad")):
        renewals.wait_for(bad=3)
        renewals.errors.clear()
        with keeper.keep(renewals.of("good")):
            renewals.wait_for(good=1)
    assert set(told) == {("leases_not_renewed", MemoryError)}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_made_anew():
    keeper, renewals = Keeper(), Renewals(deadly=SystemExit)
    before = set(threading.enumerate())
    with keeper.keep(renewals.of("deadly")):
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
    with keeper.keep(renewals.of("good")):
        renewals.wait_for(good=1)
    assert renewals.seen["deadly"] == 1


def test_many_holders_share_one_thread():
    keeper, renewals = Keeper(), Renewals()
    before = threading.active_count()
    with keeper.keep(renewals.of("a")), keeper.keep(renewals.of("b")), keeper.keep(renewals.of("c")):
        renewals.wait_for(a=1, b=1, c=1)
        assert threading.active_count() == before + 1


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_makes_its_own_thread():
    keeper, renewals = Keeper(), Renewals()
    with keeper.keep(renewals.of("parents")):
        renewals.wait_for(parents=1)
        child = os.fork()
        if child == 0:
            renewals.seen.clear()
            try:
                with keeper.keep(renewals.of("childs")):
                    renewals.wait_for(childs=2)
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
