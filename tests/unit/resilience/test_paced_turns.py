"""Whose turn it is: shares by weight at every moment, and nobody behind another's backlog."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from apps.resilience.paced_turns import Turns

weights_of_tenants = st.lists(st.integers(1, 20), min_size=1, max_size=12)


def turns_of(weights: list[int]) -> Turns:
    turns = Turns()
    for number, weight in enumerate(weights):
        turns.join(f"tenant {number}", weight)
    return turns


@given(weights=weights_of_tenants, skipped=st.integers(0, 150))
def test_any_hundred_slots_are_shared_by_weight(weights, skipped):
    turns = turns_of(weights)
    given_to = [turns.give() for _ in range(skipped + 100)][skipped:]
    for number, weight in enumerate(weights):
        share = 100 * weight / sum(weights)
        assert math.floor(share) - 1 <= given_to.count(f"tenant {number}") <= math.ceil(share) + 1


@given(weights=weights_of_tenants, late=st.integers(1, 20), before=st.integers(0, 200))
def test_who_comes_late_is_served_within_one_round_and_gets_its_share_from_then_on(weights, late, before):
    turns = turns_of(weights)
    for _ in range(before):
        turns.give()
    turns.join("late", late)
    round_ = math.ceil((sum(weights) + late) / late)
    given_to = [turns.give() for _ in range(10 * round_)]
    assert given_to.index("late") <= round_
    assert 9 <= given_to.count("late") <= 11 + 10 * (round_ - (sum(weights) + late) / late)


def test_leaving_and_coming_back_gains_no_slot():
    turns = turns_of([1])
    given_to = []
    for _ in range(60):
        turns.join("in and out", 1)
        given_to.append(turns.give())
        if given_to[-1] == "in and out":
            turns.leave("in and out")
    assert 29 <= given_to.count("in and out") <= 31


def test_who_left_long_ago_is_forgotten():
    turns = turns_of([1, 1])
    turns.give()
    turns.give()
    turns.leave("tenant 1")
    turns.forget()
    assert set(turns.rested) <= {"tenant 1"}
    for _ in range(3):
        turns.give()
    turns.forget()
    assert turns.rested == {}


def test_a_new_weight_counts_from_the_next_slot_on():
    turns = turns_of([1, 1])
    turns.join("tenant 1", 4)
    given_to = [turns.give() for _ in range(50)]
    assert 39 <= given_to.count("tenant 1") <= 41
