"""Screens over real HTTP: the chains of coins and shares, the cache, and what stands in when vendors fail."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from apps.core.db import InsideTransaction
from apps.core.errors import NotFound
from apps.resilience import CallFailed
from apps.sources import http, registry, screens, services
from apps.sources.errors import NobodyAnswered
from apps.sources.models import FetchLog, Quarantine, Source
from tests.factories import prices
from tests.integration.sources.exchanges import Exchanges
from tests.integration.sources.upstream import Answer

pytestmark = pytest.mark.django_db(transaction=True)
COINS = ("BTC", "ETH", "SOL")
SHARES = ("AAPL", "MSFT", "NVDA")
CLOUDFLARE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"


@pytest.fixture
def exchanges(vendor, settings, clean_redis) -> Exchanges:
    http.shut_down()  # a cache of this process alone would remember other tests
    settings.VENDORS = {slug: {**given, "api_key": "a-key"} for slug, given in settings.VENDORS.items()}
    return Exchanges(vendor)


def screen(name="crypto", symbols=None, **options):
    moment = options.pop("now", None) or datetime.now(tz=UTC)
    return services.screen(
        name=name, symbols=symbols or (COINS if name == "crypto" else SHARES), now=moment, by="test", **options
    )


def sources_of(found):
    return {row.ticker.symbol: row.source for row in found.rows}


def parts_of(found):
    return {part.source: (part.state, part.brought) for part in found.parts}


def test_the_first_source_is_enough_and_the_others_are_not_asked(exchanges):
    found = screen()
    assert sources_of(found) == dict.fromkeys(COINS, "coincap")
    assert parts_of(found) == {"coincap": ("answered", 3), "binance": ("not asked", 0), "coingecko": ("not asked", 0)}
    assert (found.is_good, found.is_cached, found.missing) == (True, False, ())
    assert len(exchanges.upstream.questions) == 1
    assert exchanges.upstream.questions[0].headers["Authorization"] == "Bearer a-key"
    log = FetchLog.objects.get()
    assert (log.source_id, log.operation, log.outcome, log.records, log.calls) == ("coincap", "tickers", "ok", 3, 1)


def test_what_one_source_lacks_the_next_is_asked_for(exchanges):
    exchanges.lacks = {"coincap": {"ETH", "SOL"}, "binance": {"SOL"}}
    found = screen()
    assert sources_of(found) == {"BTC": "coincap", "ETH": "binance", "SOL": "coingecko"}
    assert parts_of(found) == {"coincap": ("answered", 1), "binance": ("answered", 1), "coingecko": ("answered", 1)}
    assert found.is_good
    asked = [dict(question.query) for question in exchanges.upstream.questions if "/binance/" in question.path]
    assert asked == [{"symbols": '["ETHUSDT","SOLUSDT"]'}, {}]  # one unknown pair spoils the list, so all are asked for
    assert Quarantine.objects.filter(source_id="binance", row_key="SOL").count() == 1


def test_what_nobody_has_is_missing_by_name(exchanges):
    for slug in ("coincap", "binance", "coingecko"):
        exchanges.lacks[slug] = {"SOL"}
    found = screen()
    assert (found.missing, found.is_good, len(found.rows)) == (("SOL",), False, 2)


@pytest.mark.parametrize(
    "mood",
    [
        Answer(json.dumps(prices.COINGECKO_429).encode(), 429, {"Retry-After": "100"}),
        Answer(CLOUDFLARE, 200),
        Answer(CLOUDFLARE, 403),
        Answer(CLOUDFLARE, 503),
        Answer(b"error code: 1015", 429),
        Answer(b"", 200),
        Answer(b'{"timestamp": 1, "data": [', 200),
        Answer(b'{"error": "invalid key", "timestamp": 1}', 200),
    ],
    ids=["429", "html-200", "html-403", "html-503", "1015", "empty", "cut", "error-200"],
)
def test_a_vendor_in_trouble_costs_nothing_but_its_turn(exchanges, mood):
    exchanges.moods["coincap"] = mood
    found = screen()
    assert sources_of(found) == dict.fromkeys(COINS, "binance")
    assert parts_of(found)["coincap"] == ("failed", 0)
    assert found.is_good
    assert Source.objects.get(slug="coincap").last_error_at is not None
    bodies_refused = 1 if mood.status == 200 else 0
    assert Quarantine.objects.filter(source_id="coincap").count() == bodies_refused


def test_binances_ban_is_a_rate_limit_under_200_and_under_418(exchanges):
    exchanges.lacks["coincap"] = set(COINS)
    for mood in (
        Answer(json.dumps(prices.BINANCE_1003).encode(), 200),
        Answer(json.dumps(prices.BINANCE_1003).encode(), 429, {"Retry-After": "100"}),
        Answer(json.dumps(prices.BINANCE_1003).encode(), 418, {"Retry-After": "1000"}),
    ):
        exchanges.moods["binance"] = mood
        found = screen(force=True)
        assert sources_of(found) == dict.fromkeys(COINS, "coingecko")
        assert parts_of(found)["binance"] == ("failed", 0)
        asked = exchanges.asked("binance")
        screen(force=True)
        assert exchanges.asked("binance") == asked  # it asked us to wait, so nobody goes again
        http.reset("binance")
        http.shut_down()
    assert Quarantine.objects.filter(source_id="binance").count() == 0  # a limit is no bad data


@pytest.mark.parametrize("note", [prices.MINUTE_NOTE, prices.DAY_NOTE])
def test_alpha_vantages_notes_are_limits_and_no_bad_data(exchanges, note):
    exchanges.moods["yahoo"] = Answer(b"Too Many Requests", 429, {"Retry-After": "100"})
    exchanges.moods["alphavantage"] = Answer(json.dumps(note).encode())
    found = screen("stocks")
    assert sources_of(found) == dict.fromkeys(SHARES, "finnhub")
    assert exchanges.asked("alphavantage") == 1  # the first is asked alone
    assert Quarantine.objects.count() == 0
    assert FetchLog.objects.get(source_id="alphavantage").outcome == "quota-spent"


def test_shares_fall_from_yahoo_through_alpha_vantage_to_finnhub(exchanges):
    exchanges.lacks = {"yahoo": {"MSFT", "NVDA"}, "alphavantage": {"NVDA"}}
    found = screen("stocks")
    assert sources_of(found) == {"AAPL": "yahoo", "MSFT": "alphavantage", "NVDA": "finnhub"}
    assert found.is_good
    assert {row.ticker.symbol: row.ticker.change for row in found.rows}["AAPL"] == Decimal("0.0525")


def test_sources_that_are_off_or_paused_or_whose_breaker_is_open_are_passed_over_with_the_reason(exchanges, settings):
    settings.VENDORS = {**settings.VENDORS, "coincap": {**settings.VENDORS["coincap"], "api_key": ""}}
    services.ensure_sources(now=datetime.now(tz=UTC), by="test")
    services.pause(source="coingecko", reason="their terms changed", by="test", now=datetime.now(tz=UTC))
    found = screen()
    reasons = {part.source: part.reason for part in found.parts}
    assert sources_of(found) == dict.fromkeys(COINS, "binance")
    assert "needs a key" in reasons["coincap"]
    assert "their terms changed" in reasons["coingecko"]
    assert (exchanges.asked("coincap"), exchanges.asked("coingecko")) == (0, 0)
    exchanges.moods["binance"] = Answer(b"", 500)
    for _ in range(3):
        screen(force=True)
    asked = exchanges.asked("binance")
    found = screen(force=True)
    assert exchanges.asked("binance") == asked
    assert "the breaker of binance is open" in found.reason
    assert sources_of(found) == dict.fromkeys(COINS, "binance")  # from better days


def test_a_second_look_asks_nobody_and_a_forced_one_does(exchanges):
    first = screen()
    asked = len(exchanges.upstream.questions)
    second = screen()
    assert (second.is_cached, second.rows[0].ticker, second.parts) == (True, first.rows[0].ticker, first.parts)
    assert len(exchanges.upstream.questions) == asked == FetchLog.objects.count() == 1
    assert not screen(force=True).is_cached
    assert len(exchanges.upstream.questions) == FetchLog.objects.count() == 2


def test_the_last_good_prices_are_served_and_flagged_when_everybody_fails(exchanges):
    good = screen()
    for slug in ("coincap", "binance", "coingecko"):
        exchanges.moods[slug] = Answer(CLOUDFLARE, 200)
    found = screen(force=True)
    assert [row.ticker for row in found.rows] == [row.ticker for row in good.rows]
    assert not found.is_good
    assert all(slug in found.reason for slug in ("coincap", "binance", "coingecko"))
    assert Quarantine.objects.count() == 3


def test_a_price_that_nobody_brings_any_more_stands_in_with_its_own_age_and_grade(exchanges):
    screen()
    for slug in ("coincap", "binance", "coingecko"):
        exchanges.lacks[slug] = {"SOL"}
    make_older(COINS, timedelta(hours=30))
    found = screen(force=True)
    grades = {row.ticker.symbol: row.grade.value for row in found.rows}
    assert grades == {"BTC": "fresh", "ETH": "fresh", "SOL": "stale"}
    assert (found.missing, found.is_good) == ((), False)


def make_older(symbols, by: timedelta) -> None:
    """Make what is kept of the coins look as if it had been fetched that much earlier."""
    key = screens.key_of("crypto", symbols)
    cached = http.peek(key, screens.RULE)
    assert cached is not None
    kept = screens.unpacked(cached.value)
    assert kept is not None
    older = {
        symbol: replace(one, ticker=replace(one.ticker, received_at=one.ticker.received_at - by))
        for symbol, one in kept.quoted.items()
    }
    http.keep(key, screens.packed(replace(kept, quoted=older)), screens.RULE)


def test_with_nothing_kept_everybodys_failure_is_named(exchanges, settings):
    settings.VENDORS = {**settings.VENDORS, "coincap": {**settings.VENDORS["coincap"], "api_key": ""}}
    for slug in ("binance", "coingecko"):
        exchanges.moods[slug] = Answer(CLOUDFLARE, 403)
    with pytest.raises(NobodyAnswered) as caught:
        screen()
    assert "coincap: needs a key: set COINCAP_API_KEY" in str(caught.value)
    assert "binance: binance refuses us (HTTP 403)" in str(caught.value)
    assert "coingecko: coingecko refuses us (HTTP 403)" in str(caught.value)
    assert FetchLog.objects.count() == 2


def test_the_failure_of_another_process_that_asked_for_the_same_is_ours_too(exchanges, monkeypatch):
    def failed_elsewhere(*_args, **_options):
        raise CallFailed("coincap: BadAnswer: the body is HTML")

    monkeypatch.setattr(http, "fetch_kept", failed_elsewhere)
    with pytest.raises(NobodyAnswered, match="nobody has prices of crypto: coincap: BadAnswer"):
        screen()


def test_many_who_ask_at_once_let_one_go(exchanges):
    exchanges.upstream.script = slowly(exchanges.upstream.script)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: looked(), range(8)))
    assert all(one.is_good and len(one.rows) == 3 for one in found)
    assert sum(not one.is_cached for one in found) == exchanges.asked("coincap") == FetchLog.objects.count() == 1


def slowly(script):
    def answer(question):
        threading.Event().wait(0.3)
        return script(question)

    return answer


def looked():
    try:
        return screen()
    finally:
        connection.close()


def test_a_wild_price_is_quarantined_and_the_next_source_is_asked(exchanges):
    screen()
    exchanges.factor["coincap"] = 100
    found = screen(force=True)
    assert sources_of(found) == dict.fromkeys(COINS, "binance")
    assert {row.ticker.symbol: int(row.ticker.price) for row in found.rows} == {"BTC": 50_000, "ETH": 2_500, "SOL": 100}
    faults = Quarantine.objects.filter(source_id="coincap")
    assert sorted(faults.values_list("row_key", flat=True)) == list(COINS)
    assert all(fault.reason.startswith("wild: ") for fault in faults)


def test_two_sources_that_agree_outweigh_the_last_good_price(exchanges):
    exchanges.factor = {"coincap": 100}
    screen()
    exchanges.factor = {}
    found = screen(force=True)
    assert {row.ticker.symbol: int(row.ticker.price) for row in found.rows} == {"BTC": 50_000, "ETH": 2_500, "SOL": 100}
    assert sources_of(found) == dict.fromkeys(COINS, "binance")


def test_symbols_named_twice_are_shown_once(exchanges):
    assert len(screen(symbols=("BTC", "BTC", "ETH")).rows) == 2


def test_no_other_screens_are_known_and_none_starts_inside_a_transaction(exchanges):
    for name in ("news", "bonds"):
        with pytest.raises(NotFound):
            screen(name, COINS)
    with pytest.raises(InsideTransaction), transaction.atomic():
        screen()
    assert exchanges.upstream.questions == []


def test_prices_of_one_source_are_fetched_alone(exchanges):
    batch = services.fetch_tickers(source="yahoo", symbols=("AAPL", "NOPE"), now=datetime.now(tz=UTC), by="test")
    assert [ticker.symbol for ticker in batch.records] == ["AAPL"]
    assert [(fault.key, fault.reason) for fault in batch.rejected] == [("NOPE", "the vendor does not know it")]
    counts = services.fetch_everything(source="coingecko", keys=[], now=datetime.now(tz=UTC), by="test")
    assert [(count.operation, count.records) for count in counts] == [("tickers", 3)]
    assert registry.vendor_of("coingecko").default_keys == COINS
