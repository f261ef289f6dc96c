"""The windows of coins: Binance, CoinGecko, CoinCap."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer, NotAtVendor, QuotaSpent, VendorRefused
from apps.sources.vendors.binance import feed as binance
from apps.sources.vendors.binance.check import check as check_binance
from apps.sources.vendors.coincap import feed as coincap
from apps.sources.vendors.coincap.check import check as check_coincap
from apps.sources.vendors.coincap.symbols import IDS as COINCAP_IDS
from apps.sources.vendors.coingecko import feed as coingecko
from apps.sources.vendors.coingecko.check import check as check_coingecko
from apps.sources.vendors.coingecko.symbols import IDS as COINGECKO_IDS
from project.settings import SCREEN_CRYPTO
from tests.factories import prices
from tests.unit.sources.callers import NOW, Scripted

DAY = timedelta(days=1)


def run(question):
    return asyncio.run(question)


def test_binances_tickers_are_read_with_usdt_as_their_currency():
    caller = Scripted([prices.binance_ticker("BTC", at=NOW), prices.binance_ticker("ETH", "2500.5", at=NOW)])
    got = run(binance.tickers(caller, ("BTC", "ETH")))
    first = got.records[0]
    assert (first.symbol, first.price, first.currency, first.market_cap) == ("BTC", Decimal(50_000), "USDT", None)
    assert (first.change, first.volume) == (Decimal("-0.025"), Decimal("1500000.5"))
    assert (first.vendor_at, first.received_at) == (NOW, NOW)
    assert caller.asked == [("/api/v3/ticker/24hr", {"symbols": '["BTCUSDT","ETHUSDT"]'})]


def test_binance_is_asked_for_twenty_pairs_at_a_time():
    symbols = [f"C{number}" for number in range(45)]
    caller = Scripted([])
    got = run(binance.tickers(caller, symbols))
    assert (got.records, len(got.rejected)) == ((), 45)  # each that was left out is named
    assert [params["symbols"].count("USDT") for _, params in caller.asked] == [20, 20, 5]


def test_a_pair_that_binance_does_not_know_costs_only_itself():
    def script(_path, params):
        if params:
            raise VendorRefused('binance does not take the question (HTTP 400): {"code":-1121,"msg":"Invalid symbol."}')
        return [prices.binance_ticker("BTC"), prices.binance_ticker("OTHER"), {"symbol": 5}, "junk"]

    got = run(binance.tickers(Scripted(script), ("BTC", "NOPE", "^GSPC")))
    assert [ticker.symbol for ticker in got.records] == ["BTC"]
    assert [(fault.key, fault.reason) for fault in got.rejected] == [
        ("^GSPC", "binance has no pair ^GSPC/USDT"),
        ("NOPE", "binance has no pair NOPE/USDT"),
    ]


def test_any_other_refusal_of_binance_is_raised():
    def script(_path, _params):
        raise VendorRefused("binance refuses us (HTTP 451): restricted location")

    with pytest.raises(VendorRefused, match="451"):
        run(binance.tickers(Scripted(script), ("BTC",)))


@pytest.mark.parametrize("feed", [binance.tickers, lambda caller, _: binance.candles(caller, "BTC", None)])
def test_binances_errors_under_200_are_told_apart(feed):
    with pytest.raises(QuotaSpent) as caught:
        run(feed(Scripted(prices.BINANCE_1003), ("BTC",)))
    assert caught.value.retry_after_s == 60.0
    with pytest.raises(BadAnswer, match="reports an error"):
        run(feed(Scripted(prices.BINANCE_1121), ("BTC",)))
    with pytest.raises(BadAnswer, match="HTML"):
        run(feed(Scripted(b"<html>"), ("BTC",)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lastPrice": "0.00000000"}, "lastPrice is not between"),
        ({"lastPrice": 50_000}, "lastPrice is not a text"),
        ({"lastPrice": "-1"}, "lastPrice is not between"),
        ({"quoteVolume": None}, "quoteVolume is missing"),
        ({"closeTime": "now"}, "closeTime is not a number"),
        ({"symbol": "ETHUSDT"}, "not one that was asked for"),
    ],
)
def test_a_bent_ticker_of_binance_is_named(changes, reason):
    got = run(binance.tickers(Scripted([prices.binance_ticker("BTC", **changes)]), ("BTC",)))
    assert got.records == ()
    assert any(reason in fault.reason for fault in got.rejected)


def test_binances_bars_close_at_midnight_and_the_running_one_is_not_final():
    midnight = NOW.replace(hour=0)
    rows = [prices.kline(midnight, "10"), prices.kline(midnight + DAY, "10.5")]
    chart = run(binance.candles(Scripted(rows), "BTC", None))
    assert [(one.closes_at, one.close, one.final) for one in chart.bars.records] == [
        (midnight, Decimal(10), True),
        (midnight + DAY, Decimal("10.5"), False),
    ]
    assert (chart.instrument.symbol, chart.instrument.kind, chart.instrument.currency) == ("BTC", "crypto", "USDT")


def test_binances_bars_are_asked_for_page_by_page_from_the_moment_that_is_known():
    pages = [[prices.kline(NOW - DAY * (1_200 - number)) for number in range(1_000)], [prices.kline(NOW - DAY)]]
    caller = Scripted(lambda _path, _params: pages.pop(0))
    chart = run(binance.candles(caller, "BTC", NOW - DAY * 1_200))
    assert len(chart.bars.records) == 1_001
    asked = [params["startTime"] for _, params in caller.asked]
    assert asked == [str(prices.milliseconds(NOW - DAY * 1_200)), str(prices.milliseconds(NOW - DAY * 201))]


def test_bent_bars_of_binance_are_refused_by_wire_or_gate_and_named():
    rows = [prices.kline(NOW - DAY * 3), prices.kline(NOW - DAY * 2, high="9"), prices.kline(NOW - DAY)[:7], ["x"] * 12, 7]
    chart = run(binance.candles(Scripted(rows), "BTC", None))
    reasons = [fault.reason for fault in chart.bars.rejected]
    assert len(chart.bars.records) == 1
    assert [reason.split(":")[0] for reason in reasons] == [
        "the bar is not a list of 12",
        "close time is not whole milliseconds",
        "the bar is not a list of 12",
        "contradiction",
    ]


def test_what_cannot_be_a_pair_is_not_asked_for():
    caller = Scripted([])
    with pytest.raises(NotAtVendor):
        run(binance.candles(caller, "^GSPC", None))
    assert caller.asked == []
    assert (binance.pair_of("USDT"), binance.pair_of("btc"), binance.pair_of("BTC")) == ("", "", "BTCUSDT")


def test_coingeckos_coins_are_read_and_nulls_stay_unknown():
    coins = [
        prices.coingecko_coin("BTC", at=NOW),
        prices.coingecko_coin("ETH", 0.00000123, price_change_percentage_24h=None, total_volume=None, market_cap=None),
    ]
    caller = Scripted(coins)
    got = run(coingecko.tickers(caller, ("BTC", "ETH", "SOL", "WHAT")))
    btc, eth = got.records
    assert (btc.symbol, btc.name, btc.price, btc.currency) == ("BTC", "BTC coin", Decimal("50000.0"), "USD")
    assert (btc.change, btc.volume, btc.market_cap, btc.vendor_at) == (Decimal("-0.0125"), Decimal("2000000.5"), 10**9, NOW)
    assert (eth.price, eth.change, eth.volume, eth.market_cap) == (Decimal("0.00000123"), None, None, None)
    assert [(fault.key, fault.reason) for fault in got.rejected] == [
        ("WHAT", "coingecko has no coin WHAT"),
        ("SOL", "coingecko has no coin SOL"),
    ]
    assert caller.asked[0][1]["ids"] == "bitcoin,ethereum,solana"


def test_coingeckos_limit_is_no_bad_data():
    with pytest.raises(QuotaSpent, match="exceeded the Rate Limit"):
        run(coingecko.tickers(Scripted(prices.COINGECKO_429), ("BTC",)))
    for value in ({"error": "coin not found"}, {"status": {"error_code": 500}}, "text", None):
        with pytest.raises(BadAnswer):
            run(coingecko.tickers(Scripted(value), ("BTC",)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"current_price": None}, "current_price is missing"),
        ({"current_price": 0}, "current_price is not between"),
        ({"current_price": "50000"}, "current_price is not a number"),
        ({"last_updated": "yesterday"}, "last_updated is not a moment"),
        ({"market_cap": -1}, "market_cap is not between"),
        ({"id": "dogwifhat"}, "not one that was asked for"),
    ],
)
def test_a_bent_coin_of_coingecko_is_named(changes, reason):
    got = run(coingecko.tickers(Scripted([prices.coingecko_coin("BTC", **changes)]), ("BTC",)))
    assert got.records == ()
    assert any(reason in fault.reason for fault in got.rejected)


def test_coincaps_assets_are_read_to_the_last_digit():
    caller = Scripted(prices.coincap_answer(prices.coincap_coin("BTC"), at=NOW))
    got = run(coincap.tickers(caller, ("BTC", "XRP", "WHAT")))
    ticker = got.records[0]
    assert (ticker.price, ticker.currency, ticker.vendor_at) == (Decimal("50000.1234567890123456"), "USD", NOW)
    assert (ticker.change, ticker.market_cap) == (Decimal("0.016189386924235160"), Decimal("1177131549030.8370836720257832"))
    assert [fault.key for fault in got.rejected] == ["WHAT", "XRP"]
    assert caller.asked == [("/v3/assets", {"ids": "bitcoin,xrp", "limit": "100"})]


@pytest.mark.parametrize(
    "value",
    [
        {"error": "You exceeded your plan", "timestamp": 1},
        {"message": "Unauthorized"},
        {"timestamp": "soon", "data": []},
        {"timestamp": 1_780_000_000_000},
        {"data": {}},
        [],
    ],
)
def test_a_frame_of_coincap_that_is_not_one_is_refused_whole(value):
    with pytest.raises(BadAnswer):
        run(coincap.tickers(Scripted(value), ("BTC",)))


def test_a_bent_asset_of_coincap_is_named_and_nulls_stay_unknown():
    coins = [
        prices.coincap_coin("BTC", "0"),
        prices.coincap_coin("ETH", changePercent24Hr=None, marketCapUsd=None, volumeUsd24Hr=None),
        prices.coincap_coin("SOL", priceUsd=7),
    ]
    got = run(coincap.tickers(Scripted(prices.coincap_answer(*coins)), ("BTC", "ETH", "SOL")))
    assert [(one.symbol, one.change, one.volume, one.market_cap) for one in got.records] == [("ETH", None, None, None)]
    assert [fault.reason.split(" ")[0] for fault in got.rejected] == ["priceUsd", "priceUsd"]


def test_no_coins_no_question():
    for feed in (binance.tickers, coingecko.tickers, coincap.tickers):
        caller = Scripted([])
        assert run(feed(caller, ())).records == ()
        assert caller.asked == []


def test_every_coin_of_the_screen_has_a_name_at_every_vendor_and_no_two_share_one():
    for table in (COINGECKO_IDS, COINCAP_IDS):
        assert set(SCREEN_CRYPTO) <= set(table)
        assert len(set(table.values())) == len(table)
    assert len(SCREEN_CRYPTO) == 30
    assert all(binance.pair_of(symbol) for symbol in SCREEN_CRYPTO)


def test_the_self_checks_say_what_they_saw():
    good = run(check_binance(Scripted([prices.binance_ticker()])))
    assert (good.is_good, good.message) == (True, "1 pair; weight used this minute: 42")
    assert run(check_coingecko(Scripted([prices.coingecko_coin()]))).message == "BTC coin at 50000.0 USD"
    bad = run(check_coincap(Scripted(prices.coincap_answer())))
    assert (bad.is_good, bad.message) == (False, "no believable price of BTC")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(value=junk, field=st.sampled_from(["lastPrice", "closeTime", "symbol", "quoteVolume", "priceChangePercent"]))
def test_whatever_binance_says_is_a_ticker_or_rejected(value, field):
    for answer in (value, [value], [prices.binance_ticker("BTC", at=datetime(2026, 6, 8, tzinfo=UTC), **{field: value})]):
        try:
            got = run(binance.tickers(Scripted(answer), ("BTC",)))
        except (BadAnswer, QuotaSpent):
            continue
        assert all(ticker.price > 0 for ticker in got.records)


@given(value=junk, field=st.sampled_from(["id", "current_price", "name", "last_updated", "market_cap"]))
def test_whatever_coingecko_or_coincap_says_is_a_ticker_or_rejected(value, field):
    for feed, answer in (
        (coingecko.tickers, [prices.coingecko_coin("BTC", **{field: value})]),
        (coingecko.tickers, value),
        (coincap.tickers, prices.coincap_answer({**prices.coincap_coin("BTC"), "priceUsd": value})),
        (coincap.tickers, {"timestamp": value, "data": [value]}),
    ):
        try:
            got = run(feed(Scripted(answer), ("BTC",)))
        except (BadAnswer, QuotaSpent):
            continue
        assert all(ticker.price > 0 for ticker in got.records)
