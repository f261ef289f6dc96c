"""Which odds and which dates are believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.gates import dates, odds
from apps.sources.types import MatchRecord, OddsLine, OddsRecord

NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)
MATCH = MatchRecord(key="m1", sport="soccer", league="", home="A", away="B", starts_at=NOW, status="scheduled")
NAMES = {"1x2": ("home", "draw", "away"), "over_under": ("over", "under")}


def offer(*said: str, kind="1x2", bookmaker="bet365", **changes) -> tuple[OddsLine, ...]:
    return tuple(
        OddsLine(kind=kind, outcome=name, bookmaker=bookmaker, odds=Decimal(number), **changes)
        for name, number in zip(NAMES[kind], said, strict=False)
    )


def judged(*lines: OddsLine) -> tuple[int, list[str]]:
    record, rejected = odds.believable(OddsRecord(match=MATCH, lines=lines, received_at=NOW))
    return (len(record.lines) if record else 0), [fault.reason for fault in rejected]


@pytest.mark.parametrize("said", [("2.0", "3.5", "4.0"), ("1.01", "26", "51"), ("1.5", "4", "8")])
def test_honest_odds_are_believed(said):
    assert judged(*offer(*said)) == (3, [])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (("0", "3.5", "4.0"), "odds that are not above 1 and at most 1001"),
        (("-110", "3.5", "4.0"), "odds that are not above 1 and at most 1001"),
        (("1", "3.5", "4.0"), "odds that are not above 1 and at most 1001"),
        (("1.0", "1.0", "1.0"), "odds that are not above 1 and at most 1001"),
        (("1850", "350", "420"), "odds that are not above 1 and at most 1001"),
        (("185", "350", "420"), "overround outside 0.98 to 1.40"),
        (("1.1", "1.1", "1.1"), "overround outside 0.98 to 1.40"),
        (("2.4", "1.02", "3.0"), "overround outside 0.98 to 1.40"),
    ],
)
def test_impossible_odds_are_refused_with_their_whole_offer(said, reason):
    assert judged(*offer(*said)) == (0, [reason])


def test_a_bad_offer_does_not_harm_another_bookmaker_or_line():
    bad = offer("185", "190", kind="over_under", line=Decimal("2.5"))
    good = offer("1.85", "1.95", kind="over_under", line=Decimal("3.5"))
    assert judged(*offer("2.0", "3.5", "4.0"), *bad, *good) == (5, ["overround outside 0.98 to 1.40"])


def test_half_an_offer_has_no_overround():
    assert judged(*offer("2.0", "3.5")) == (2, [])


def test_the_best_of_all_bookmakers_may_cost_less_than_a_unit():
    best = ("2.2", "3.9", "4.4")
    assert judged(*offer(*best)) == (0, ["overround outside 0.98 to 1.40"])
    assert judged(*offer(*best, bookmaker="market maximum")) == (3, [])
    assert judged(*offer("9", "9", "9", bookmaker="market maximum")) == (0, ["overround outside 0.80 to 1.40"])


def test_an_outcome_said_twice_counts_once_and_at_two_odds_not_at_all():
    lines = offer("2.0", "3.5", "4.0")
    assert judged(*lines, replace(lines[0], suspended=True)) == (3, [])
    assert judged(*lines, replace(lines[0], odds=Decimal("2.1"))) == (0, ["one outcome at two odds"])


def test_an_outcome_that_the_market_has_not_is_refused():
    (over, under) = offer("1.9", "1.9", kind="over_under", line=Decimal(2))
    assert judged(over, replace(under, outcome="draw")) == (0, ["an outcome that a market of over_under does not have"])


def test_odds_from_the_future_are_refused():
    assert judged(*offer("2.0", "3.5", "4.0", vendor_at=NOW + timedelta(seconds=61))) == (0, ["odds from the future"])
    assert judged(*offer("2.0", "3.5", "4.0", vendor_at=NOW + timedelta(seconds=59))) == (3, [])


@given(st.lists(st.tuples(st.sampled_from(["home", "draw", "away", "x"]), st.decimals(-5, 2000, places=2)), max_size=8))
def test_every_line_is_kept_once_or_its_offer_refused(pairs):
    lines = [OddsLine(kind="1x2", outcome=name, bookmaker="b", odds=said) for name, said in pairs]
    record, rejected = odds.believable(OddsRecord(match=MATCH, lines=tuple(lines), received_at=NOW))
    if not lines:
        assert (record, rejected) == (None, ())
    elif record is None:
        assert len(rejected) == 1
    else:
        assert [line.outcome for line in record.lines] == list(dict.fromkeys(name for name, _ in pairs))
        assert all(1 < line.odds <= 1001 for line in record.lines)


def weekends(start: date, count: int) -> list[date]:
    return [start + timedelta(days=7 * number) for number in range(count)]


def test_days_and_months_that_changed_places_are_found_and_nothing_else():
    true = weekends(date(2016, 8, 13), 40)
    published = [dates.turned(day) or day for day in true]
    found = dates.swapped(published)
    changed = [(day, meant) for day, was, meant in zip(true, published, found, strict=True) if day != was]
    assert len(changed) == 16
    assert all(meant == day for day, meant in changed)
    assert [meant for day, was, meant in zip(true, published, found, strict=True) if day == was] == [None] * 24
    assert dates.swapped(true) == (None,) * 40


def test_a_match_that_was_moved_is_not_doubted():
    days = weekends(date(2016, 8, 13), 40)
    days.insert(10, date(2016, 11, 2))
    days.insert(20, date(2017, 5, 3))  # listed where it was to be played, played in spring: not where 5 March would fit
    assert dates.swapped(days) == (None,) * 42


def test_dates_without_an_unambiguous_neighbour_are_not_doubted():
    assert dates.swapped([date(2016, 3, 9), date(2016, 9, 3)]) == (None, None)
    assert dates.swapped([]) == ()


@given(st.lists(st.dates(), max_size=60))
def test_only_dates_that_can_be_turned_are_ever_doubted(days):
    for day, meant in zip(days, dates.swapped(days), strict=True):
        assert meant is None or (meant == dates.turned(day) and meant != day)
