"""The windows of shares: Yahoo's prices, Alpha Vantage, Finnhub. (Yahoo's bars are in test_yahoo.py.)"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer, NotAtVendor, QuotaSpent, VendorAway, VendorRefused
from apps.sources.vendors.alphavantage import feed as alphavantage
from apps.sources.vendors.alphavantage.check import check as check_alphavantage
from apps.sources.vendors.finnhub import feed as finnhub
from apps.sources.vendors.finnhub.check import check as check_finnhub
from apps.sources.vendors.yahoo import feed as yahoo
from project.settings import SCREEN_STOCKS
from tests.factories import prices
from tests.unit.sources.callers import NOW, Scripted


def run(question):
    return asyncio.run(question)


def daily(**days):
    """Return an answer with bars, `d20260605={...}` for a day."""
    bar = {"1. open": "10", "2. high": "11", "3. low": "9.5", "4. close": "10.5", "5. volume": "1000"}
    series = {f"{day[1:5]}-{day[5:7]}-{day[7:]}": {**bar, **changes} for day, changes in days.items()}
    return {"Meta Data": {"2. Symbol": "AAPL", "5. Time Zone": "US/Eastern"}, "Time Series (Daily)": series}


def test_yahoos_price_is_read_from_the_charts_description():
    caller = Scripted(lambda path, _: prices.yahoo_now(path.rpartition("/")[2].replace("%5E", "^"), at=NOW))
    got = run(yahoo.tickers(caller, ("AAPL", "^GSPC")))
    first = got.records[0]
    assert (first.symbol, first.name, first.price, first.currency) == ("AAPL", "AAPL Inc.", Decimal("210.5"), "USD")
    assert (first.change, first.volume, first.market_cap) == (Decimal("0.0525"), Decimal(210_500), None)
    assert (first.vendor_at, first.received_at) == (NOW, NOW)
    assert [ticker.symbol for ticker in got.records] == ["AAPL", "^GSPC"]
    assert caller.asked[1] == ("/v8/finance/chart/%5EGSPC", {"interval": "1d", "range": "1d"})


def test_yahoos_last_close_is_taken_where_it_stands():
    def change(**meta):
        return run(yahoo.tickers(Scripted(prices.yahoo_now(price=110.0, **meta)), ("AAPL",))).records[0].change

    assert change(previousClose=100.0) == Decimal("0.1")
    assert change(chartPreviousClose=None) is None
    assert change(chartPreviousClose=0) is None
    assert change(chartPreviousClose=88.0, previousClose=0) == Decimal("0.25")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (prices.yahoo_now("MSFT"), "asked for AAPL, the answer is about MSFT"),
        (prices.yahoo_now("AAPL", regularMarketPrice=None), "has no price"),
        (prices.yahoo_now("AAPL", regularMarketPrice=0), "has no price"),
        (prices.yahoo_now("AAPL", regularMarketPrice="210.5"), "regularMarketPrice is not a number"),
        (prices.yahoo_now("AAPL", regularMarketTime=1.5), "regularMarketTime is not whole seconds"),
        ({"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}, "chart is missing"),
    ],
)
def test_an_answer_of_yahoo_that_cannot_be_believed_rejects_its_symbol(answer, reason):
    got = run(yahoo.tickers(Scripted(answer), ("AAPL",)))
    assert (got.records, [fault.key for fault in got.rejected]) == ((), ["AAPL"])
    assert reason in got.rejected[0].reason


def test_finnhubs_quote_is_read_and_classes_come_after_a_point():
    caller = Scripted(prices.finnhub_quote(at=NOW))
    got = run(finnhub.tickers(caller, ("AAPL", "BRK-B", "^GSPC", "CL=F")))
    first = got.records[0]
    assert (first.price, first.change, first.currency, first.vendor_at) == (Decimal("210.5"), Decimal("0.0525"), "USD", NOW)
    assert [ticker.symbol for ticker in got.records] == ["AAPL", "BRK-B"]
    assert [params["symbol"] for _, params in caller.asked] == ["AAPL", "BRK.B"]
    assert [fault.key for fault in got.rejected] == ["^GSPC", "CL=F"]


def test_finnhubs_zeros_are_a_share_that_it_does_not_know():
    got = run(finnhub.tickers(Scripted(prices.finnhub_quote(0, t=0, pc=0, d=None, dp=None)), ("NOPE",)))
    assert [(fault.key, fault.reason) for fault in got.rejected] == [("NOPE", "the vendor does not know it")]


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "Invalid API key"},
        [],
        {},
        prices.finnhub_quote(t="now"),
        {**prices.finnhub_quote(), "c": "1"},
        {**prices.finnhub_quote(), "c": 0},
    ],
)
def test_a_bent_quote_of_finnhub_rejects_its_symbol(answer):
    got = run(finnhub.tickers(Scripted(answer), ("AAPL",)))
    assert (got.records, [fault.key for fault in got.rejected]) == ((), ["AAPL"])


def test_alpha_vantages_quote_is_read():
    at = datetime(2026, 6, 8, 21, tzinfo=UTC)
    got = run(alphavantage.tickers(Scripted(prices.alphavantage_quote(day="2026-06-08"), now=at), ("AAPL", "^GSPC")))
    ticker = got.records[0]
    assert (ticker.price, ticker.change, ticker.volume) == (Decimal("210.5"), Decimal("0.0525"), Decimal(210_500))
    assert ticker.vendor_at == datetime(2026, 6, 8, 20, tzinfo=UTC)  # New York closes at four, in summer time
    assert [fault.key for fault in got.rejected] == ["^GSPC"]
    running = run(alphavantage.tickers(Scripted(prices.alphavantage_quote(day="2026-06-08"), now=NOW), ("AAPL",)))
    assert running.records[0].vendor_at == NOW


def test_alpha_vantage_is_asked_for_five_shares_and_the_rest_leaves_the_answer_incomplete():
    caller = Scripted(lambda _, params: prices.alphavantage_quote(params["symbol"]))
    got = run(alphavantage.tickers(caller, SCREEN_STOCKS[:7]))
    assert (len(got.records), len(caller.asked), got.complete, got.rejected) == (5, 5, False, ())
    assert run(alphavantage.tickers(caller, SCREEN_STOCKS[:5])).complete


@pytest.mark.parametrize(
    ("answer", "error", "retry_after_s"),
    [
        (prices.MINUTE_NOTE, QuotaSpent, 60.0),
        ({"Information": "Please spread out your requests more sparingly (1 request per second)."}, QuotaSpent, 60.0),
        (prices.DAY_NOTE, QuotaSpent, 3_600.0),
        ({"Information": "This is a premium endpoint. You may subscribe."}, VendorRefused, None),
        ({"Information": "The **demo** API key is for demo purposes only."}, VendorRefused, None),
        ({"Error Message": "the parameter apikey is invalid or missing."}, VendorRefused, None),
    ],
)
def test_what_alpha_vantage_says_under_200_is_told_apart(answer, error, retry_after_s):
    for question in (alphavantage.tickers(Scripted(answer), ("AAPL",)), alphavantage.candles(Scripted(answer), "AAPL", None)):
        with pytest.raises(error) as caught:
            run(question)
        assert caught.value.retry_after_s == retry_after_s


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"Global Quote": {}}, "the vendor does not know it"),
        ({"Error Message": "Invalid API call. Please retry or visit the documentation."}, "the vendor does not know it"),
        ({}, "has no Global Quote"),
        ({"Global Quote": []}, "has no Global Quote"),
        (b"<html>", "HTML"),
        (prices.alphavantage_quote("MSFT"), "the answer is about MSFT"),
        (prices.alphavantage_quote(price="0.0000"), "05. price is not between"),
        (prices.alphavantage_quote(day="today"), "07. latest trading day is not a date"),
    ],
)
def test_a_share_that_alpha_vantage_lacks_or_bends_is_rejected_by_name(answer, reason):
    got = run(alphavantage.tickers(Scripted(answer), ("AAPL",)))
    assert (got.records, [fault.key for fault in got.rejected]) == ((), ["AAPL"])
    assert reason in got.rejected[0].reason


def test_alpha_vantages_bars_close_with_new_york_in_summer_and_winter():
    answer = daily(d20260605={}, d20260115={"4. close": "10"}, d20260608={})
    chart = run(alphavantage.candles(Scripted(answer), "AAPL", None))
    assert [(one.closes_at, one.final) for one in chart.bars.records] == [
        (datetime(2026, 1, 15, 21, tzinfo=UTC), True),
        (datetime(2026, 6, 5, 20, tzinfo=UTC), True),
        (datetime(2026, 6, 8, 20, tzinfo=UTC), False),
    ]
    assert (chart.instrument.kind, chart.instrument.currency, chart.bars.rejected) == ("equity", "USD", ())
    since = datetime(2026, 6, 1, tzinfo=UTC)
    assert len(run(alphavantage.candles(Scripted(answer), "AAPL", since)).bars.records) == 2


def test_bent_bars_of_alpha_vantage_are_named_and_the_rest_is_kept():
    answer = daily(d20260605={}, d20260604={"2. high": "9"}, d20260603={"4. close": "none"}, dsomedays={})
    chart = run(alphavantage.candles(Scripted(answer), "AAPL", None))
    assert len(chart.bars.records) == 1
    assert [fault.reason.split(" ")[0] for fault in chart.bars.rejected] == ["4.", "the", "contradiction:"]
    with pytest.raises(NotAtVendor):
        run(alphavantage.candles(Scripted(answer), "^GSPC", None))


def test_a_vendor_that_is_away_is_asked_once_and_its_failure_is_raised():
    def script(_path, _params):
        raise VendorAway("gone")

    for feed in (yahoo.tickers, finnhub.tickers, alphavantage.tickers):
        caller = Scripted(script)
        with pytest.raises(VendorAway):
            run(feed(caller, ("AAPL", "MSFT", "NVDA")))
        assert len(caller.asked) == 1


def test_a_vendor_that_fails_later_leaves_the_answer_incomplete():
    def script(_path, params):
        if params["symbol"] == "MSFT":
            raise VendorAway("gone")
        return prices.finnhub_quote()

    got = run(finnhub.tickers(Scripted(script), ("AAPL", "MSFT", "NVDA")))
    assert ([ticker.symbol for ticker in got.records], got.rejected, got.complete) == (["AAPL", "NVDA"], (), False)


def test_no_shares_no_question():
    for feed in (yahoo.tickers, finnhub.tickers, alphavantage.tickers):
        caller = Scripted({})
        assert run(feed(caller, ())).records == ()
        assert caller.asked == []
    assert len(set(SCREEN_STOCKS)) == 30


def test_the_self_checks_say_what_they_saw():
    assert run(check_finnhub(Scripted(prices.finnhub_quote()))).message == "AAPL at 210.5 USD"
    bad = run(check_alphavantage(Scripted({"Global Quote": {}})))
    assert (bad.is_good, bad.message) == (False, "no believable price of AAPL")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(value=junk)
def test_whatever_is_said_is_a_price_or_rejected_or_one_of_our_errors(value):
    answers = [value, {"Global Quote": value}, {"Time Series (Daily)": value}, {"chart": value}, {"Note": value}]
    answers += [prices.finnhub_quote(**{field: value}) for field in ("c", "pc", "t")]
    for answer in answers:
        for feed in (yahoo.tickers, finnhub.tickers, alphavantage.tickers):
            try:
                got = run(feed(Scripted(answer, now=NOW + timedelta(days=1)), ("AAPL",)))
            except (BadAnswer, QuotaSpent, VendorRefused):
                continue
            assert all(ticker.price > 0 for ticker in got.records)
