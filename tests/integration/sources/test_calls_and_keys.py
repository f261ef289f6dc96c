"""One row for every call, keys where the vendor wants them and nowhere else, and sources that are off for a reason."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from apps.audit.models import Event
from apps.core.errors import Conflict
from apps.sources import registry, services
from apps.sources.calling import body_without_key, with_key, without_key
from apps.sources.errors import QuotaSpent, SourceClosed, VendorRefused
from apps.sources.models import FetchCall, FetchLog, Quarantine, Source
from apps.sources.ports import KeyRule
from tests.factories.wires import TOKENS, clob_book, gamma_market
from tests.integration.sources.conftest import NOW
from tests.integration.sources.upstream import Answer

pytestmark = pytest.mark.django_db
GAMMA, YAHOO, KEY = "polymarket_gamma", "yahoo", "s3cret key/+"


@pytest.fixture
def keyed(vendor, settings, monkeypatch):
    """Yahoo as a vendor that wants a key."""
    rule = KeyRule(place="param", name="apikey")
    changed = replace(registry.VENDORS[YAHOO], key=rule)
    monkeypatch.setattr(registry, "VENDORS", {**registry.VENDORS, YAHOO: changed})
    settings.VENDORS = {**settings.VENDORS, YAHOO: {**settings.VENDORS[YAHOO], "api_key": KEY}}
    return vendor


def test_every_call_of_a_fetch_leaves_its_own_row(vendor):
    bodies = [Answer(json.dumps({"markets": [gamma_market()], "next_cursor": "two"}).encode()), Answer(b"", 503)]
    last = Answer(json.dumps({"markets": []}).encode())
    vendor.script = lambda question: bodies.pop(0) if bodies else last
    services.fetch_markets(source=GAMMA, now=NOW, by="test")
    first, second = FetchCall.objects.all()
    assert (first.fetch, second.fetch) == (FetchLog.objects.get(),) * 2
    assert [(row.position, row.path, row.outcome) for row in (first, second)] == [
        (0, "/markets/keyset", "ok"),
        (1, "/markets/keyset", "ok"),
    ]
    assert (first.attempts, second.attempts, FetchLog.objects.get().calls) == (1, 2, 3)
    assert second.payload_digest == hashlib.sha256(last.body).hexdigest()
    assert (second.http_status, second.bytes, second.breaker_state) == (200, len(last.body), "closed")


def test_a_call_that_failed_has_its_row_too(vendor):
    vendor.says({"error": "no"}, status=404)
    with pytest.raises(Exception, match="does not know it"):
        services.fetch_books(source="polymarket_clob", outcome_keys=[TOKENS[0]], now=NOW, by="test")
    row = FetchCall.objects.get()
    assert (row.path, row.outcome, row.http_status, row.bytes, row.payload_digest) == ("/books", "http-status", 404, 0, "")


def test_a_key_goes_out_with_the_question_and_is_written_nowhere(keyed):
    keyed.says({"error": f"bad key {KEY}"}, status=401)
    with pytest.raises(VendorRefused, match=r"bad key \(key\)"):
        services.fetch_candles(source=YAHOO, symbol="^GSPC", now=NOW, by="test")
    assert ("apikey", KEY) in keyed.questions[0].query
    written = [*FetchCall.objects.values(), *FetchLog.objects.values(), *Source.objects.values()]
    assert KEY not in str(written)


def test_a_bad_body_that_repeats_the_key_is_quarantined_without_it(keyed):
    keyed.says(f"your key is {KEY}".encode())
    with pytest.raises(Exception, match="not JSON"):
        services.fetch_candles(source=YAHOO, symbol="^GSPC", now=NOW, by="test")
    assert Quarantine.objects.get().excerpt == "your key is (key)"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (KeyRule(place="header", name="Authorization", prefix="Bearer "), ("/a/{key}", (), (("Authorization", "Bearer k/1"),))),
        (KeyRule(place="param", name="token"), ("/a/{key}", (("token", "k/1"),), ())),
        (KeyRule(place="path"), ("/a/k%2F1", (), ())),
        (None, ("/a/{key}", (), ())),
    ],
)
def test_a_key_goes_where_its_rule_says(rule, expected):
    assert with_key(rule, "k/1", "/a/{key}", (), ()) == expected


def test_a_source_without_its_key_is_off_and_says_so_until_it_has_one(keyed, settings):
    given = settings.VENDORS
    settings.VENDORS = {**given, YAHOO: {**given[YAHOO], "api_key": ""}}
    services.ensure_sources(by="test", now=NOW)
    row = Source.objects.get(slug=YAHOO)
    assert (row.state, row.state_reason) == ("off", "needs a key: set YAHOO_API_KEY")
    with pytest.raises(SourceClosed, match="set YAHOO_API_KEY"):
        services.fetch_candles(source=YAHOO, symbol="^GSPC", now=NOW, by="test")
    with pytest.raises(Conflict, match="set YAHOO_API_KEY"):
        services.resume(source=YAHOO, by="test", now=NOW)
    settings.VENDORS = given
    services.ensure_sources(by="test", now=NOW)
    assert Source.objects.get(slug=YAHOO).state == "on"
    assert Event.objects.filter(action="source.switched", subject=YAHOO).count() == 1
    assert keyed.questions == []


def test_sources_that_settings_do_not_name_are_off_and_a_paused_one_stays_paused(vendor, settings):
    services.ensure_sources(by="test", now=NOW)
    services.pause(source=YAHOO, reason="a look", by="test", now=NOW)
    settings.SOURCES_ON = (GAMMA,)
    services.ensure_sources(by="test", now=NOW)
    states = dict(Source.objects.values_list("slug", "state"))
    assert (states[GAMMA], states[YAHOO], states["polymarket_clob"]) == ("on", "paused", "off")
    with pytest.raises(SourceClosed, match="SOURCES_ON"):
        services.fetch_books(source="polymarket_clob", outcome_keys=[clob_book()["asset_id"]], now=NOW, by="test")


@pytest.mark.parametrize(
    "said",
    [
        "We have detected your API key as s3cret key/+ and our standard API rate limit is 25 requests per day.",
        "rate limit: 25 requests per day, asked by /query?apikey=s3cret+key%2F%2B&symbol=AAPL",
        "rate limit: 25 requests per day for s3cret%20key%2F%2B",
    ],
)
def test_a_limit_that_is_told_with_our_key_is_passed_on_without_it(vendor, settings, said):
    given = {**settings.VENDORS["alphavantage"], "api_key": KEY, "base_url": settings.VENDORS[YAHOO]["base_url"]}
    settings.VENDORS = {**settings.VENDORS, "alphavantage": given}
    vendor.says({"Information": said})
    with pytest.raises(QuotaSpent) as refusal:
        services.fetch_tickers(source="alphavantage", symbols=["AAPL"], now=NOW, by="test")
    assert "(key)" in str(refusal.value)
    row = Source.objects.get(slug="alphavantage")
    assert "(key)" in row.last_error
    assert "s3cret" not in str(refusal.value) + row.last_error


def test_a_key_escaped_for_json_or_a_page_is_blotted_out_too():
    key = 'a/"b"<c>&long'
    for written in (
        key,
        r"a/\"b\"<c>&long",
        r"a\/\"b\"<c>&long",
        "a/&quot;b&quot;&lt;c&gt;&amp;long",
        "a%2F%22b%22%3Cc%3E%26long",
    ):
        assert body_without_key(f"it is {written}.".encode(), key) == b"it is (key)."
        assert without_key(f"it is {written}.", key) == "it is (key)."


def test_what_is_too_short_to_be_a_key_leaves_prices_alone():
    assert body_without_key(b'{"price": "12345"}', "234") == b'{"price": "12345"}'
    assert body_without_key(b'{"price": "12345"}', "") == b'{"price": "12345"}'
