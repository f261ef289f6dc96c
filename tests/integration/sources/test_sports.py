"""The windows of sports through the real doors: HTTP for bookmakers, files for recordings, and on into the store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from apps.markets import services as markets
from apps.markets.models import BookmakerOdds, LatestPrice, Market, Outcome, Result
from apps.markets.types import OddsCounts
from apps.sources import http, registry, services
from apps.sources.errors import BadAnswer
from apps.sources.models import FetchLog, Quarantine, Source
from tests.factories import betfair, football_data, goalserve

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "k/e y"
NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)
SEASON = football_data.file(
    "E0,16/08/2024,Reds,Blues,1,0,H,1.6,4.2,5.25",
    "E0,17/08/2024,Greens,Whites,2,2,D,160,420,525",
    header=football_data.ODDS + "B365H,B365D,B365A",
)


@pytest.fixture
def keyed(vendor, settings):
    settings.VENDORS = {slug: {**given, "api_key": KEY} for slug, given in settings.VENDORS.items()}
    return vendor


def fresh_odds(now: datetime) -> bytes:
    """One match whose odds were said just now and which starts tomorrow."""
    said, day = int(now.timestamp()), now + timedelta(days=1)
    offered = [goalserve.bookmaker(ts=said, odds=goalserve.odd(Home="1.85", Draw="3.5", Away="4.2"))]
    dates = {"date": f"{day:%b %d}", "formatted_date": f"{day:%d.%m.%Y}", "time": "22:30"}
    return json.dumps(goalserve.answer(goalserve.match(goalserve.market(bookmakers=offered), **dates), ts=str(said))).encode()


def test_goalserve_is_asked_with_its_key_in_the_path_and_the_key_is_written_nowhere(keyed):
    now = datetime.now(UTC)
    keyed.says(fresh_odds(now))
    batch = services.fetch_odds(source="goalserve", now=now, by="test")
    assert [record.match.key for record in batch.records] == ["6001"]
    (question,) = keyed.questions
    assert question.path == "/goalserve/getfeed/k%2Fe%20y/getodds/soccer"
    assert dict(question.query) == {"cat": "soccer_10", "json": "1"}
    log = FetchLog.objects.get()
    assert (log.operation, log.outcome, log.records) == ("odds", "ok", 1)
    keyed.says(b"no access for k%2Fe%20y", status=403)
    with pytest.raises(Exception, match="goalserve"):
        services.fetch_match_results(source="goalserve", now=now, by="test")
    assert KEY not in str(list(FetchLog.objects.values())) + str(list(Source.objects.values()))


def test_goalserve_without_a_key_is_off(vendor):
    services.ensure_sources(by="test", now=NOW)
    row = Source.objects.get(slug="goalserve")
    assert (row.state, row.state_reason) == ("off", "needs a key: set GOALSERVE_API_KEY")


def test_only_goalserve_and_recordings_may_answer_with_a_hundred_megabytes():
    large = {slug for slug, vendor in registry.VENDORS.items() if vendor.body_bytes_max > 16 * 1024 * 1024}
    assert large == {"goalserve", "betfair_stream"}
    assert registry.vendor_of("football_data").body_bytes_max == 4 * 1024 * 1024
    assert registry.connection_of(registry.vendor_of("goalserve")).policy.body_bytes_max == 100 * 1024 * 1024


def test_a_season_goes_from_the_file_into_the_store_and_bad_odds_into_the_quarantine(vendor):
    vendor.says(SEASON)
    counts = markets.refresh_odds(source="football_data", keys=("2425/E0",), now=NOW, by="test")
    assert counts == OddsCounts(matches=1, markets=1, seen=3, stored=3, rejected=1)
    assert [question.path for question in vendor.questions] == ["/football_data/mmz4281/2425/E0.csv"]
    (fault,) = Quarantine.objects.all()
    assert (fault.source_id, fault.operation, fault.reason) == ("football_data", "odds", "overround outside 0.98 to 1.40")
    again = markets.refresh_odds(source="football_data", keys=("2425/E0",), now=NOW + timedelta(hours=1), by="test")
    assert again == OddsCounts(matches=1, seen=3, unchanged=3, rejected=1)
    results = markets.refresh_match_results(source="football_data", keys=("2425/E0",), now=NOW, by="test")
    assert (results.matches, results.markets, results.results) == (2, 1, 1)
    assert Market.objects.get().state == "resolved"


def test_a_body_that_is_not_believed_stores_nothing_and_leaves_one_row_in_the_quarantine(vendor):
    vendor.says(b"<html>busy</html>")
    with pytest.raises(BadAnswer):
        markets.refresh_odds(source="football_data", keys=("2425/E0",), now=NOW, by="test")
    assert (Quarantine.objects.count(), BookmakerOdds.objects.count(), Market.objects.count()) == (1, 0, 0)


@pytest.fixture
def recordings(settings, tmp_path):
    address = {"base_url": tmp_path.as_uri(), "api_key": "", "rate_per_minute": 0}
    settings.VENDORS = {**settings.VENDORS, "betfair_stream": address}
    yield tmp_path
    http.shut_down()


def test_a_recorded_market_is_listed_quoted_and_resolved(recordings):
    opening = betfair.started(betfair.prices(atb=[[5, 20]], atl=[[6.25, 7]]))
    (recordings / betfair.ID).write_bytes(opening)
    listed = markets.refresh_catalogue(source="betfair_stream", now=NOW, by="test")
    assert (listed.created, listed.rejected) == (1, 0)
    assert markets.refresh_books(source="betfair_stream", now=NOW, by="test").stored == 1
    price = LatestPrice.objects.get()
    assert (float(price.ask), float(price.bid), price.ask_units) == (0.2, 0.16, 100)
    closed = betfair.definition("WINNER", "LOSER", "LOSER", status="CLOSED")
    (recordings / betfair.ID).write_bytes(opening + betfair.line(betfair.change(closed), pt=betfair.PT + 1))
    assert markets.refresh_catalogue(source="betfair_stream", now=NOW + timedelta(minutes=2), by="test").results == 1
    result = Result.objects.get()
    (winner,) = [outcome_id for outcome_id, paid in result.payouts.items() if float(paid) == 1]
    assert Outcome.objects.get(id=winner).label == "R0"
    assert set(FetchLog.objects.values_list("source_id", "outcome")) == {("betfair_stream", "ok")}


def test_without_an_address_recordings_are_off_and_with_one_they_come_on(settings, recordings):
    services.ensure_sources(by="test", now=NOW)
    assert Source.objects.get(slug="betfair_stream").state == "on"
    settings.VENDORS = {**settings.VENDORS, "betfair_stream": {"base_url": "", "api_key": "", "rate_per_minute": 0}}
    services.ensure_sources(by="test", now=NOW)
    row = Source.objects.get(slug="betfair_stream")
    assert (row.state, row.state_reason) == ("off", "needs an address: set BETFAIR_STREAM_BASE_URL")


def test_the_self_check_of_a_folder_is_noted_like_any_other(recordings):
    (recordings / betfair.ID).write_bytes(betfair.started())
    result = services.self_check(source="betfair_stream", by="test", now=NOW)
    assert (result.is_good, result.message) == (True, "1 recordings; 1 markets in that of 1.197931750")
    assert FetchLog.objects.filter(operation="check", outcome="ok").exists()
