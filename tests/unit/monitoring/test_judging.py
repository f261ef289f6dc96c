"""Kinds of errors, ages, and the running of probes under one deadline."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import Broken, Conflict, Denied, DeskError, Invalid, NotFound, OutcomeUnknown, Transient
from apps.monitoring import probing
from apps.monitoring.freshness import SHORTEST_S, is_fresh, limit_s
from apps.monitoring.kinds import kind_of
from apps.monitoring.types import Check


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotFound(), "expected"),
        (Conflict(), "expected"),
        (Denied(), "expected"),
        (Invalid(), "expected"),
        (Transient(), "transient"),
        (OutcomeUnknown(), "unknown"),
        (Broken(), "broken"),
        (DeskError(), "unexpected"),
        (ValueError(), "unexpected"),
        (SystemExit(), "unexpected"),
    ],
)
def test_errors_are_counted_by_their_kind(error, kind):
    assert kind_of(error) == kind


def test_what_never_was_is_not_fresh():
    assert not is_fresh(None, 86_400.0, speed=1)


@given(st.floats(0.01, 10_000), st.integers(1, 1_000_000))
def test_a_faster_world_grows_old_sooner_but_never_within_half_a_minute(speed, age_max_s):
    limit = limit_s(age_max_s, speed=speed)
    assert limit >= SHORTEST_S
    assert limit == SHORTEST_S or limit == pytest.approx(age_max_s / speed)
    assert is_fresh(limit, age_max_s, speed=speed)
    assert not is_fresh(limit * 1.01, age_max_s, speed=speed)


def test_a_probe_that_raises_is_unhealthy_and_names_only_the_class():
    def probe():
        raise ConnectionError("postgres://desk:hunter2@db is away")

    (check,) = probing.run_all({"database": probe}).values()
    assert check == Check(is_healthy=False, shown={"reason": "ConnectionError"})


def test_a_probe_that_hangs_costs_the_deadline_and_leaves_the_others_standing(monkeypatch):
    monkeypatch.setattr(probing, "DEADLINE_S", 0.2)
    release = threading.Event()
    started = time.monotonic()

    def hangs() -> Check:
        release.wait(10)
        return Check(is_healthy=True)

    checks = probing.run_all({"hangs": hangs, "answers": lambda: Check(is_healthy=True, shown={"n": 1})})
    took_s = time.monotonic() - started
    release.set()
    assert checks["answers"] == Check(is_healthy=True, shown={"n": 1})
    assert checks["hangs"] == Check(is_healthy=False, shown={"reason": "no answer within 0.2 s"})
    assert took_s < 2
