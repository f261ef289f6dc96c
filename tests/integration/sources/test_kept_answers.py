"""A vendor whose files rarely change: young answers are not asked for again, and a kept one stands in for lies and silence."""

from __future__ import annotations

import pytest

from apps.sources import engine, http, services
from apps.sources.models import FetchLog, Quarantine, Source
from apps.sources.vendors.football_data.client import is_season
from tests.integration.sources.conftest import NOW
from tests.integration.sources.upstream import Answer

pytestmark = pytest.mark.django_db
FOOTBALL = "football_data"
HEAD = b"Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR,B365H,B365D,B365A\n"
SEASON = HEAD + b"E0,08/08/2025,20:00,Liverpool,Bournemouth,4,2,H,1.30,6.00,8.50\n"
WALL = b"<html><title>Just a moment...</title></html>"


def odds():
    return services.fetch_odds(source=FOOTBALL, keys=("2526/E0",), now=NOW, by="test")


@pytest.fixture(autouse=True)
def nothing_kept(vendor):
    http.forget_kept(FOOTBALL)
    yield
    http.forget_kept(FOOTBALL)


def test_a_young_answer_is_not_asked_for_again_until_a_refresh_is_forced(vendor):
    vendor.says(SEASON)
    assert [len(odds().records), len(odds().records), len(vendor.questions)] == [1, 1, 1]
    assert services.force_refresh(source=FOOTBALL, by="test", now=NOW) == 1
    assert (len(odds().records), len(vendor.questions)) == (1, 2)


@pytest.mark.parametrize("answer", [Answer(WALL), Answer(b"", 503), Answer(SEASON[:3])])
def test_a_kept_answer_stands_in_flagged_when_the_vendor_lies_or_is_silent(vendor, answer, monkeypatch):
    vendor.says(SEASON)
    odds()
    Source.objects.filter(slug=FOOTBALL).update(last_success_at=None)
    age_everything(monkeypatch)
    vendor.script = lambda question: answer
    batch = odds()
    assert (len(batch.records), batch.stale) == (1, True)
    assert FetchLog.objects.latest("id").outcome == "kept"
    source = Source.objects.get(slug=FOOTBALL)
    assert source.last_success_at is None
    assert source.last_error.startswith("kept answer served: ")
    assert Quarantine.objects.filter(source=FOOTBALL).count() == (0 if answer.status == 503 else 1)


def test_a_lie_without_a_kept_answer_is_quarantined_and_the_next_true_one_is_taken(vendor):
    vendor.says(WALL)
    with pytest.raises(Exception, match="something else"):
        odds()
    assert Quarantine.objects.filter(source=FOOTBALL).count() == 1
    vendor.says(SEASON)
    assert len(odds().records) == 1


def age_everything(monkeypatch) -> None:
    """Let the clock of the cache go two hours ahead."""
    clock = engine.engine().cache._clock
    now_s = clock.now_s
    monkeypatch.setattr(clock, "now_s", lambda: now_s() + 7_200)


@pytest.mark.parametrize(
    ("body", "is_one"), [(SEASON, True), (b"\xef\xbb\xbf" + SEASON, True), (b'"Div","Date"\n', True), (WALL, False), (b"", False)]
)
def test_a_season_is_known_by_its_head(body, is_one):
    assert is_season(body) is is_one
