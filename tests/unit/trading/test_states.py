"""The life of an order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from apps.trading.errors import IllegalMove
from apps.trading.models import ORDER_STATES
from apps.trading.states import FINISHED, NEXT, UNFINISHED, is_finished, moved
from apps.trading.types import OrderState


class Life(RuleBasedStateMachine):
    """Random moves: legal ones are made, illegal ones refused and change nothing."""

    def __init__(self):
        super().__init__()
        self.state: OrderState = "accepted"
        self.sendings = 0

    @precondition(lambda self: not is_finished(self.state))
    @rule(to=st.sampled_from(sorted(NEXT)))
    def move(self, to):
        if to in NEXT[self.state]:
            self.state = moved(self.state, to)
            self.sendings += to == "sending"
        else:
            with pytest.raises(IllegalMove):
                moved(self.state, to)

    @precondition(lambda self: is_finished(self.state))
    @rule(to=st.sampled_from(sorted(NEXT)))
    def nothing_follows_an_end(self, to):
        with pytest.raises(IllegalMove):
            moved(self.state, to)

    @invariant()
    def it_is_sent_once_at_most(self):
        assert self.sendings <= 1


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=12, deadline=None)


def test_every_state_of_the_table_has_its_place():
    assert set(NEXT) == set(ORDER_STATES)
    assert set(UNFINISHED) | set(FINISHED) == set(NEXT)
    assert set(FINISHED) == {"filled", "partly_filled", "rejected", "cancelled"}


def test_an_order_that_may_have_been_sent_is_never_sent_again():
    after_sending: tuple[OrderState, ...] = ("sending", "sent", "unknown")
    assert all("sending" not in NEXT[state] and "accepted" not in NEXT[state] for state in after_sending)


def test_only_an_order_that_is_unknown_can_be_cancelled():
    assert {state for state, following in NEXT.items() if "cancelled" in following} == {"unknown"}
