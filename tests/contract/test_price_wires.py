"""Recorded prices through our readers and the gate for bars, with the counts that docs/sources.md states.

The recordings are not part of the project: they are looked for beside it, and each test skips when its own are absent.
Yahoo's CSV is read here only; the desk itself reads Yahoo's charts.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.sources.errors import QuotaSpent
from apps.sources.gates.bars import Judged, judge
from apps.sources.types import CandleRecord
from apps.sources.vendors.alphavantage import wire as alphavantage
from apps.sources.vendors.binance import feed as binance
from apps.sources.vendors.binance import wire as binance_wire
from apps.sources.vendors.coingecko import wire as coingecko
from tests.unit.sources.callers import Scripted

DATA = Path(__file__).parents[3] / "shared" / "data"
LATER = datetime(2026, 12, 1, tzinfo=UTC)


def recorded(*parts: str) -> Path:
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no recordings at {path}")
    return path


def bar(symbol: str, at: datetime, prices: Iterable[Any], volume: Any) -> CandleRecord:
    opened, high, low, close = (Decimal(price) for price in prices)
    return CandleRecord(
        symbol=symbol,
        closes_at=at,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=Decimal(volume or 0),
        final=True,
    )


def csv_bars(path: Path) -> list[CandleRecord]:
    """Return the bars of a Yahoo CSV as it stands, days without trade left out."""
    with gzip.open(path, "rt") as lines:
        rows = csv.DictReader(lines)
        moment = (rows.fieldnames or [""])[0]
        return [
            bar(path.name, datetime.fromisoformat(row[moment]).astimezone(UTC), prices_of(row), row["Volume"])
            for row in rows
            if row["Close"]
        ]


def prices_of(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("Open", "High", "Low", "Close"))


def rules(judged: Judged) -> Counter[str]:
    return Counter(fault.reason.split(":")[0] for fault in judged.rejected)


def flags(judged: Judged) -> Counter[str]:
    return Counter(flag.rule for flag in judged.flags)


def parquet_series(path: Path, symbol: str, at: str) -> Iterator[list[CandleRecord]]:
    """Yield the bars of each symbol of a parquet file."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.read_parquet(path)
    moments = pandas.to_datetime(frame[at], utc=True).dt.to_pydatetime()
    series: dict[str, list[CandleRecord]] = defaultdict(list)
    columns = (frame[name].tolist() for name in (symbol, "open", "high", "low", "close", "volume"))
    for moment, name, *prices, volume in zip(moments, *columns, strict=True):
        series[name].append(bar(name, moment, prices, volume))
    yield from series.values()


def total(judgements: Iterable[Judged]) -> tuple[int, Counter[str], Counter[str]]:
    """Return how many bars were believed, and the counts of all refusals and flags."""
    believed, refused, flagged = 0, Counter[str](), Counter[str]()
    for judged in judgements:
        believed += len(judged.bars)
        refused += rules(judged)
        flagged += flags(judged)
    return believed, refused, flagged


# What the repaired twins show: in AET 14 of 23 bars are a hundredth, in SSW 22 of 29 are a hundredfold, in ASAI one hour's low and close are in pounds among pence.
@pytest.mark.parametrize(
    ("name", "wrong", "refused"),
    [
        ("AET-L-1d-100x-error", 14, {"scale": 14}),
        ("SSW-JO-1d-100x-error", 22, {"scale": 22}),
        ("ASAI-L-1h-bad-unit", 1, {"scale": 1}),
    ],
)
def test_every_hundredfold_error_that_yahoo_served_is_found_and_the_repaired_twin_is_not_refused_for_it(name, wrong, refused):
    bad = csv_bars(recorded("yahoo_bad_data", f"{name}.csv.gz"))
    good = {one.closes_at: one for one in csv_bars(recorded("yahoo_bad_data", f"{name}-fixed.csv.gz"))}
    truly_wrong = {one.closes_at for one in bad if not 0.9 < float(one.close / good[one.closes_at].close) < 1.1}
    assert len(truly_wrong) == wrong
    judged = judge(bad, now=LATER)
    assert rules(judged) == refused
    assert {one.closes_at for one in judged.bars} == set(good) - truly_wrong
    assert rules(judge(list(good.values()), now=LATER))["scale"] == 0


def test_of_all_yahoo_files_only_those_with_such_errors_are_refused_for_their_scale():
    files = sorted(recorded("yahoo_bad_data").glob("*.csv.gz"))
    assert len(files) == 79
    judged = {path.name.removesuffix(".csv.gz"): judge(csv_bars(path), now=LATER) for path in files}
    scale = {name: rules(one)["scale"] for name, one in judged.items() if rules(one)["scale"]}
    assert scale == {
        "AET-L-1d-100x-error": 14,
        "ALPHA-PA-1d-bad-stock-split": 10,
        "ASAI-L-1h-bad-unit": 1,
        # Only the dividends of these three were repaired: pounds among pence are in both of each pair.
        "CLC-L-1d-bad-div": 6,
        "CLC-L-1d-bad-div-fixed": 6,
        "LSC-L-1d-bad-div": 110,
        "LSC-L-1d-bad-div-fixed": 110,
        "NVT-L-1d-bad-div": 35,
        "NVT-L-1d-bad-div-fixed": 35,
        "SSW-JO-1d-100x-error": 22,
    }
    believed, refused, flagged = total(judged.values())
    assert (believed, dict(refused)) == (37_170, {"contradiction": 26, "scale": 349})
    assert (flagged["move"], flagged["order"]) == (24, 12)


def test_a_split_that_yahoo_missed_is_flagged_as_a_move_and_not_refused():
    names = ("4063-T-1d", "LA-V-1d", "MOB-ST-1d", "DEX-AX-1d", "SPM-MI-1d")
    for name in names:
        bad = judge(csv_bars(recorded("yahoo_bad_data", f"{name}-bad-stock-split.csv.gz")), now=LATER)
        good = judge(csv_bars(recorded("yahoo_bad_data", f"{name}-bad-stock-split-fixed.csv.gz")), now=LATER)
        assert rules(bad) == rules(good) == {}
        assert flags(bad)["move"] > flags(good)["move"]


def test_five_hundred_american_shares_lose_only_bars_that_contradict_themselves():
    path = recorded("stocks_us_500", "ohlcv_dev_to_2016.parquet")
    judgements = [judge(bars, now=LATER) for bars in parquet_series(path, "ticker", "date")]
    believed, refused, flagged = total(judgements)
    assert believed + refused.total() == 880_747
    assert dict(refused) == {"contradiction": 9}
    assert sum("is below low" in fault.reason for judged in judgements for fault in judged.rejected) == 1
    # Of the 43 moves above a half that the recordings' description counts, these are left between bars that are believed.
    assert flagged["move"] == 36


def test_four_hundred_coins_keep_their_crashes_and_lose_what_was_priced_in_another_unit():
    path = recorded("crypto_binance", "daily_from_1h_all_symbols_dev.parquet")
    judgements = [judge(bars, now=LATER) for bars in parquet_series(path, "symbol", "date")]
    believed, refused, flagged = total(judgements)
    assert believed + refused.total() == 280_726
    losers = Counter(fault.key.split(" ")[0] for judged in judgements for fault in judged.rejected)
    assert list(losers) == ["BNXUSDT"]  # one coin for a hundred on 22 February 2023
    assert dict(refused) == {"scale": losers["BNXUSDT"]}
    assert flagged["move"] == 346


def test_eighty_eight_shares_as_yahoo_served_them_pass_whole():
    path = recorded("stocknet", "prices_raw_yahoo.csv.gz")
    series: dict[str, list[CandleRecord]] = defaultdict(list)
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            if row["Close"]:
                at = datetime.fromisoformat(row["Date"]).replace(tzinfo=UTC)
                series[row["ticker"]].append(bar(row["ticker"], at, prices_of(row), row["Volume"]))
    believed, refused, flagged = total(judge(bars, now=LATER) for bars in series.values())
    assert (len(series), believed, dict(refused), flagged["move"]) == (88, 108_589, {}, 0)


def test_binances_answers_are_read_as_they_were_recorded():
    folder = recorded("exchange_wire", "binance", "spot", "http_json")
    body = (folder / "klines_response.json").read_bytes()
    chart = asyncio.run(binance.candles(Scripted(body), "BTC", None))
    assert [(one.closes_at, one.close, one.final) for one in chart.bars.records] == [
        (datetime(2017, 7, 10, tzinfo=UTC), Decimal("0.01577100"), True)
    ]
    ticker = binance_wire.read_ticker(json.loads((folder / "ticker_24hr_response.json").read_bytes()))
    assert (ticker.pair, ticker.price, ticker.volume) == ("BNBBTC", Decimal("4.00000200"), Decimal("15.30000000"))


def test_an_hourly_series_of_binance_passes_the_gate_whole():
    path = recorded("crypto_binance", "sample_raw_BTCUSDT_1h_first2000.csv.gz")
    with gzip.open(path, "rt") as lines:
        bars = [
            bar("BTC", at(row["date"]), (row["open"], row["high"], row["low"], row["close"]), row["volume"])
            for row in csv.DictReader(lines)
        ]
    judged = judge(bars, now=bars[-1].closes_at + timedelta(hours=1))
    assert (len(judged.bars), judged.rejected, judged.flags) == (1_999, (), ())


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_an_open_that_the_vendor_did_not_have_is_no_price():
    path = recorded("stocks_us_500", "sample_raw_NASDAQ_AAPL_30Y.csv.gz")
    bars = csv_bars(path)
    judged = judge(bars, now=LATER)
    assert len(bars) == 7_560
    assert rules(judged) == {"no price": 3_053}


def test_limits_as_vendors_word_them_are_limits_and_no_bad_data():
    quoted = json.loads(recorded("http_errors", "quoted_error_bodies.json").read_bytes())
    readers = {"alphavantage": alphavantage.read_quote, "binance": binance_wire.read_tickers, "coingecko": coingecko.read_coins}
    told = Counter[str]()
    for entry in quoted:
        if entry["api"] in readers:
            with pytest.raises(QuotaSpent):
                readers[entry["api"]](entry["body"].encode())
            told[entry["api"]] += 1
    assert told == {"alphavantage": 2, "binance": 1, "coingecko": 1}
