"""When a market has ended, and when it has not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.markets.resolution import Ended, Situation, Waiting, above, at_price, is_strict, judge
from apps.sources.types import ResolutionRecord

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WON = (Decimal(1), Decimal(0))
GOOD = Situation(outcomes=2, closes_at=NOW - timedelta(seconds=1), is_closed=True)
FINAL = ResolutionRecord(status="final", payouts=WON, resolved_at=NOW)


def test_a_final_strict_result_after_the_close_is_the_end():
    assert judge(FINAL, GOOD, now=NOW) == Ended("final", WON)


def test_part_payouts_that_add_up_to_one_are_an_end():
    shared = replace(FINAL, payouts=(Decimal("0.5"), Decimal("0.5")))
    assert judge(shared, GOOD, now=NOW) == Ended("final", shared.payouts)


def test_void_pays_nothing_by_itself():
    assert judge(replace(FINAL, status="void", payouts=()), GOOD, now=NOW) == Ended("void", ())


@pytest.mark.parametrize(
    ("resolution", "situation", "reason"),
    [
        ({"status": "proposed"}, {}, "proposed"),
        ({"status": "disputed"}, {}, "disputed"),
        ({}, {"is_closed": False}, "not-closed"),
        ({}, {"is_stale": True}, "stale"),
        ({}, {"closes_at": NOW + timedelta(seconds=1)}, "before-close"),
        ({"resolved_at": NOW + timedelta(seconds=1)}, {}, "from-the-future"),
        ({"payouts": (Decimal("0.999"), Decimal("0.001"), Decimal(0))}, {}, "not-strict"),
        ({"payouts": (Decimal("0.9995"), Decimal("0.0004"))}, {}, "not-strict"),
        ({"payouts": (Decimal(1), Decimal(1))}, {}, "not-strict"),
        ({"payouts": (Decimal(0), Decimal(0))}, {}, "not-strict"),
        ({"payouts": (Decimal(2), Decimal(-1))}, {}, "not-strict"),
        ({"payouts": (Decimal("NaN"), Decimal(1))}, {}, "not-strict"),
        ({"status": "void"}, {"closes_at": NOW + timedelta(seconds=1)}, "before-close"),
    ],
)
def test_each_gate_holds_on_its_own(resolution, situation, reason):
    assert judge(replace(FINAL, **resolution), replace(GOOD, **situation), now=NOW) == Waiting(reason)


def test_the_close_itself_is_late_enough():
    assert isinstance(judge(FINAL, replace(GOOD, closes_at=NOW), now=NOW), Ended)


PAYOUTS = st.lists(st.integers(-2, 12).map(lambda tenths: Decimal(tenths) / 10), max_size=4)


@given(PAYOUTS, st.integers(0, 4))
def test_strict_payouts_are_one_for_each_outcome_and_share_one_unit(payouts, outcomes):
    naive = len(payouts) == outcomes and sum(payouts) == 1 and min(payouts, default=-1) >= 0
    assert is_strict(payouts, outcomes) is naive


@given(st.integers(-10_000, 10_000), st.integers(-10_000, 10_000))
def test_yes_pays_exactly_when_the_close_is_above(close, threshold):
    ended = above(Decimal(close) / 100, Decimal(threshold) / 100)
    assert ended.payouts[0] == (1 if close > threshold else 0)
    assert sum(ended.payouts) == 1


def test_a_linear_market_pays_the_close():
    assert at_price(Decimal("-37.63")) == Ended("final", (Decimal("-37.63"),))
