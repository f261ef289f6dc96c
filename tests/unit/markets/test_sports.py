"""How markets about matches are made and how they end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.markets import sports
from apps.sources.types import MatchRecord, OddsLine, OddsRecord

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MATCH = MatchRecord(
    key="E0:2026-11-22:Reds:Blues", sport="soccer", league="E0", home="Reds", away="Blues", starts_at=NOW, status="scheduled"
)
GOALS = st.integers(0, 9)
QUARTERS = st.integers(-40, 40).map(lambda quarters: Decimal(quarters) / 4)


def line(kind, outcome, goals=None, bookmaker="b") -> OddsLine:
    return OddsLine(
        kind=kind, outcome=outcome, bookmaker=bookmaker, odds=Decimal(2), line=None if goals is None else Decimal(goals)
    )


def test_each_kind_and_line_is_one_market_whoever_offers_it():
    lines = (
        line("1x2", "home"),
        line("1x2", "home", bookmaker="c"),
        line("over_under", "over", "2.5"),
        line("over_under", "under", "3"),
        line("asian_handicap", "home", "-0.25"),
    )
    markets = sports.markets_of(OddsRecord(match=MATCH, lines=lines, received_at=NOW), source="football_data")
    start = "E0:2026-11-22:Reds:Blues"
    assert [market.key for market in markets] == [
        f"{start}:1x2", f"{start}:asian_handicap:-0.25", f"{start}:over_under:2.5", f"{start}:over_under:3",
    ]  # fmt: skip
    assert [market.question for market in markets] == [
        "Reds v Blues: who wins?",
        "Reds v Blues: who wins with Reds at -0.25?",
        "Reds v Blues: more than 2.5 in all?",
        "Reds v Blues: more than 3 in all?",
    ]
    assert [outcome.label for outcome in markets[1].outcomes] == ["Reds -0.25", "Blues +0.25"]
    assert [outcome.key for outcome in markets[2].outcomes] == [
        f"football_data:{start}:over_under:2.5:over", f"football_data:{start}:over_under:2.5:under",
    ]  # fmt: skip
    assert not any(market.accepts_orders for market in markets)
    assert {market.event.key for market in markets} == {start}


@given(st.sampled_from(["over_under", "asian_handicap"]), QUARTERS)
def test_a_key_says_what_it_was_made_of(kind, goals):
    assert sports.kind_and_line(sports.market_key(MATCH.key, kind, goals)) == (kind, goals)
    assert sports.kind_and_line(sports.market_key(MATCH.key, "1x2", None)) == ("1x2", None)


@pytest.mark.parametrize(
    ("kind", "goals", "score", "winner"),
    [
        ("1x2", None, (2, 1), "home"),
        ("1x2", None, (1, 1), "draw"),
        ("1x2", None, (0, 1), "away"),
        ("moneyline", None, (98, 97), "home"),
        ("moneyline", None, (97, 97), None),
        ("over_under", "2.5", (2, 1), "over"),
        ("over_under", "2.5", (1, 1), "under"),
        ("over_under", "3", (2, 1), None),
        ("over_under", "2.25", (1, 1), None),  # half under, half given back
        ("over_under", "2.75", (2, 1), None),  # half over, half given back
        ("over_under", "2.25", (2, 1), "over"),
        ("over_under", "2.75", (1, 1), "under"),
        ("asian_handicap", "-1", (2, 1), None),
        ("asian_handicap", "-0.5", (2, 1), "home"),
        ("asian_handicap", "-1.5", (2, 1), "away"),
        ("asian_handicap", "0", (1, 1), None),
        ("asian_handicap", "0.25", (1, 1), None),
        ("asian_handicap", "0.5", (1, 1), "home"),
        ("asian_handicap", "-0.75", (2, 1), None),
        ("asian_handicap", "-0.75", (3, 1), "home"),
    ],
)
def test_every_kind_is_settled_by_the_score(kind, goals, score, winner):
    assert sports.winner_of(kind, None if goals is None else Decimal(goals), *score) == winner


def returned(margin: Decimal) -> Decimal:
    """What half a stake brings at even odds: 1 when it wins, 0.5 given back, 0 when it loses."""
    return Decimal(1) if margin > 0 else Decimal(0) if margin < 0 else Decimal("0.5")


@given(QUARTERS, GOALS, GOALS)
def test_a_line_pays_wholly_or_gives_back_something(goals, home, away):
    """Checked against the rule for stakes: half on each neighbour of a quarter line."""
    shift = Decimal(0) if (goals * 2) % 1 == 0 else Decimal("0.25")
    for kind, margin in (("asian_handicap", home - away + goals), ("over_under", home + away - goals)):
        both = (returned(margin - shift) + returned(margin + shift)) / 2
        expected = {Decimal(1): sports.OUTCOMES[kind][0], Decimal(0): sports.OUTCOMES[kind][1]}.get(both)
        assert sports.winner_of(kind, goals, home, away) == expected


@given(QUARTERS, GOALS, GOALS)
def test_changing_sides_changes_the_winner_of_a_handicap(goals, home, away):
    other = {"home": "away", "away": "home", None: None}
    assert sports.winner_of("asian_handicap", -goals, away, home) == other[sports.winner_of("asian_handicap", goals, home, away)]


@given(st.sampled_from(["1x2", "over_under", "asian_handicap"]), QUARTERS, GOALS, GOALS)
def test_payouts_are_one_unit_or_none(kind, goals, home, away):
    played = replace(MATCH, status="finished", home_score=home, away_score=away)
    resolution = sports.resolution_of(played, kind, goals, kick_off=NOW, now=NOW)
    assert resolution is not None
    assert (resolution.status, sum(resolution.payouts), len(resolution.payouts)) in [
        ("final", 1, len(sports.OUTCOMES[kind])),
        ("void", 0, 0),
    ]


@pytest.mark.parametrize(("hours", "is_void"), [(47, False), (48, True)])
def test_a_postponed_match_is_void_when_it_is_not_played_in_time(hours, is_void):
    resolution = sports.resolution_of(
        replace(MATCH, status="postponed"), "1x2", None, kick_off=NOW, now=NOW + timedelta(hours=hours)
    )
    assert (resolution is not None) is is_void


@pytest.mark.parametrize("status", ["scheduled", "live", "finished"])
def test_without_an_end_and_a_score_nothing_is_settled(status):
    assert sports.resolution_of(replace(MATCH, status=status), "1x2", None, kick_off=NOW, now=NOW + timedelta(days=9)) is None
