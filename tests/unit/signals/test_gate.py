"""The gate opens for proof only."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.signals.gate import DAYS_MIN, EVENTS_MIN, NO_EVIDENCE, Evidence, Figure, holm, judge, judge_together

GOOD = Evidence(120, 40, Figure(0.02, 0.005, 0.001), Figure(0.01, 0.002, 0.002))


def test_enough_proof_opens_the_gate():
    found = judge_together([GOOD])[0]
    assert found.is_proven
    assert (found.gain_p_holm, found.clv_p_holm) == (0.002, 0.002)
    assert found.reason == (
        "proven: 120 of 100 resolved events, 40 of 30 days, log-loss gain over the price +0.0200 (lower bound +0.0050), "
        "closing line value +0.0100 (lower bound +0.0020): signal"
    )


@pytest.mark.parametrize(
    "lacking",
    [
        replace(GOOD, events=EVENTS_MIN - 1),
        replace(GOOD, days=DAYS_MIN - 1),
        replace(GOOD, gain=Figure(0.02, -0.001, 0.03)),
        replace(GOOD, gain=Figure(0.02, 0.0, 0.001)),
        replace(GOOD, clv=Figure(0.01, -0.002, 0.04)),
        replace(GOOD, clv=Figure(None, None, None)),
        NO_EVIDENCE,
    ],
)
def test_every_condition_is_needed(lacking):
    found = judge_together([lacking])[0]
    assert not found.is_proven
    assert found.reason.startswith(f"unproven: {lacking.events} of 100 resolved events")
    assert found.reason.endswith(": no signal")


def test_what_was_never_measured_is_said_so():
    assert judge(NO_EVIDENCE, None, None).reason == (
        "unproven: 0 of 100 resolved events, 0 of 30 days, log-loss gain over the price not measured yet, "
        "closing line value not measured yet: no signal"
    )


def test_one_of_many_groups_must_be_stronger_than_one_alone():
    weak = replace(GOOD, gain=Figure(0.02, 0.001, 0.02), clv=Figure(0.01, 0.001, 0.001))
    assert judge_together([weak])[0].is_proven
    assert not any(verdict.is_proven for verdict in judge_together([weak] * 3))


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_makes_a_p_value_smaller_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, adjusted, strict=True))
    ranked = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [adjusted[index] for index in ranked] == sorted(adjusted)


def test_holm_equals_the_textbook():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_sentence_fits_its_column():
    extreme = Evidence(10**9, 10**6, Figure(-13.8155, -13.8155, 1.0), Figure(-1.0, -1.0, 1.0))
    assert len(judge_together([extreme])[0].reason) <= 300
