"""Screens without a network: ranking, ages, packing, the chain's order, and the gate for prices."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.resilience import AllSourcesFailed, Grade
from apps.sources import screens
from apps.sources.chains import CHAINS, CRYPTO, NOT_NEEDED, Part, glean
from apps.sources.gates.tickers import fault_of
from apps.sources.registry import VENDORS
from apps.sources.screens import Kept, Quoted
from apps.sources.types import TickerRecord

NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ticker(symbol="BTC", price="100", *, at=NOW, **figures) -> TickerRecord:
    figures = {name: None if value is None else Decimal(value) for name, value in figures.items()}
    given_ = {"change": None, "volume": None, "market_cap": None, **figures}
    return TickerRecord(symbol=symbol, name=symbol, price=Decimal(price), currency="USD", vendor_at=at, received_at=at, **given_)


def kept(*tickers, source="binance") -> Kept:
    return Kept(
        quoted={one.symbol: Quoted(source=source, ticker=one) for one in tickers}, parts=(Part(source=source, state="answered"),)
    )


def symbols_of(rows):
    return [row.ticker.symbol for row in rows]


@pytest.mark.parametrize(
    ("order", "symbols"),
    [
        ("change", ["C", "A", "B", "D"]),
        ("cap", ["B", "A", "C", "D"]),
        ("volume", ["A", "B", "C", "D"]),
        ("price", ["D", "C", "B", "A"]),
        ("symbol", ["A", "B", "C", "D"]),
    ],
)
def test_lines_are_ranked_by_what_is_asked_for_and_the_unknown_comes_last(order, symbols):
    rows = screens.ranked(
        kept(
            ticker("D", "9"),
            ticker("A", "1", change="0.02", market_cap="5", volume="9"),
            ticker("B", "2", change="0.01", market_cap="7"),
            ticker("C", "3", change="-0.05"),
        ),
        order=order,
        now=NOW,
    )
    assert symbols_of(rows) == symbols
    assert [row.rank for row in rows] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("age", "grade"),
    [
        (timedelta(seconds=299), Grade.FRESH),
        (timedelta(seconds=300), Grade.AGED),
        (timedelta(hours=23, minutes=59), Grade.AGED),
        (timedelta(hours=24, minutes=1), Grade.STALE),
        (-HOUR, Grade.FRESH),
    ],
)
def test_every_line_has_the_grade_of_its_own_age(age, grade):
    row = screens.ranked(kept(ticker(at=NOW - age)), order="change", now=NOW)[0]
    assert (row.grade, row.age_s) == (grade, max(0.0, age.total_seconds()))


def test_older_prices_stand_in_for_missing_ones_only_and_in_the_order_of_the_list():
    now = kept(ticker("B", "2"), source="coincap")
    before = kept(ticker("A", "1", at=NOW - HOUR), ticker("B", "1"), ticker("Z"), source="binance")
    both = screens.merged(now, before, ("A", "B", "C"))
    assert [(symbol, one.source, one.ticker.price) for symbol, one in both.quoted.items()] == [
        ("A", "binance", Decimal(1)),
        ("B", "coincap", Decimal(2)),
    ]
    assert both.parts == now.parts
    assert screens.merged(now, None, ("A", "B")).quoted == now.quoted


numbers = st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=8).map(str)


@given(price=st.decimals(min_value=Decimal("1e-12"), max_value=10**12, allow_nan=False).map(str), change=numbers, volume=numbers)
def test_what_is_packed_is_unpacked_to_the_last_digit(price, change, volume):
    one = replace(ticker("BTC", price, change=change, volume=volume), vendor_at=None)
    screen = kept(one)
    assert screens.unpacked(screens.packed(screen)) == screen


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"[]", b"\x00", b'{"quoted": [{}], "parts": []}', b'{"quoted": [], "parts": [{"x": 1}]}', b"7"]
)
def test_foreign_bytes_are_no_screen(value):
    assert screens.unpacked(value) is None


def test_lists_have_keys_of_their_own():
    keys = {screens.key_of("crypto", ("A", "B")), screens.key_of("crypto", ("B", "A")), screens.key_of("stocks", ("A", "B"))}
    assert len(keys) == 3


def test_the_chains_are_the_ones_that_users_think_of_and_every_source_of_prices_offers_them():
    assert {name: chain.sources for name, chain in CHAINS.items()} == {
        "crypto": ("coincap", "binance", "coingecko"),
        "stocks": ("yahoo", "alphavantage", "finnhub"),
        "news": ("newsapi", "google_news", "finnhub"),
    }
    assert all(VENDORS[slug].tickers for name in ("crypto", "stocks") for slug in CHAINS[name].sources)


def gleaned(answers, *, closed=None, symbols=("A", "B")):
    """Go through the chain; `answers` maps a source to its symbols or its error. Returns what came and who was asked for what."""
    asked = []

    async def ask(slug, wanted):
        asked.append((slug, tuple(wanted)))
        answer = answers[slug]
        if isinstance(answer, Exception):
            raise answer
        return [ticker(symbol) for symbol in answer]

    return asyncio.run(glean(CRYPTO, symbols, ask, closed=closed or {})), asked


def test_the_chain_asks_the_next_for_what_is_missing_only():
    found, asked = gleaned({"coincap": ["A", "Z"], "binance": ValueError("down"), "coingecko": ["B", "A"]})
    assert {symbol: source for symbol, (source, _) in found.tickers.items()} == {"A": "coincap", "Z": "coincap", "B": "coingecko"}
    assert asked == [("coincap", ("A", "B")), ("binance", ("B",)), ("coingecko", ("B",))]
    assert [(part.source, part.state, part.brought, part.reason) for part in found.parts.values()] == [
        ("coincap", "answered", 2, ""),
        ("binance", "failed", 0, "down"),
        ("coingecko", "answered", 1, ""),
    ]


def test_the_chain_stops_when_it_has_all_and_skips_whom_it_must_not_ask():
    found, asked = gleaned({"binance": ["A", "B"]}, closed={"coincap": "needs a key"})
    assert asked == [("binance", ("A", "B"))]
    assert [(part.source, part.state, part.reason) for part in found.parts.values()] == [
        ("coincap", "not asked", "needs a key"),
        ("binance", "answered", ""),
        ("coingecko", "not asked", NOT_NEEDED),
    ]


def test_the_chain_raises_when_nobody_brought_anything():
    with pytest.raises(AllSourcesFailed) as caught:
        gleaned({"coincap": ValueError("a"), "binance": ValueError("b")}, closed={"coingecko": "paused"})
    assert {slug: str(error) for slug, error in caught.value.failures.items()} == {"coincap": "a", "binance": "b"}
    with pytest.raises(AllSourcesFailed):
        gleaned({}, closed=dict.fromkeys(CRYPTO.sources, "off"))


@pytest.mark.parametrize(
    ("price", "last_good", "doubted", "is_believed"),
    [
        ("100", None, None, True),
        ("100", "90", None, True),
        ("100", "2.1", None, True),
        ("100", "2", None, False),
        ("100", "10000", None, False),
        ("100", "10000", "101", True),
        ("100", "10000", "9000", False),
        ("100", "0", None, True),
    ],
)
def test_a_price_far_from_the_last_good_one_needs_a_second_source(price, last_good, doubted, is_believed):
    given_ = [None if text is None else Decimal(text) for text in (last_good, doubted)]
    fault = fault_of(ticker(price=price), last_good=given_[0], doubted=given_[1], old_after=HOUR)
    assert (fault == "") is is_believed


def test_a_price_that_was_traded_long_ago_is_not_taken():
    old = replace(ticker(), vendor_at=NOW - HOUR - timedelta(seconds=1))
    assert fault_of(old, last_good=None, doubted=None, old_after=HOUR).startswith("old: traded at 2026-06-08T10:59")
    assert fault_of(replace(old, vendor_at=NOW - HOUR), last_good=None, doubted=None, old_after=HOUR) == ""
    assert fault_of(replace(old, vendor_at=None), last_good=None, doubted=None, old_after=HOUR) == ""


def test_a_price_of_the_future_is_not_taken_and_a_clock_that_runs_ahead_a_little_is_forgiven():
    ahead = replace(ticker(), vendor_at=NOW + timedelta(minutes=10, seconds=1))
    assert fault_of(ahead, last_good=None, doubted=None, old_after=HOUR).startswith("future: traded at 2026-06-08T12:10:01")
    assert fault_of(replace(ahead, vendor_at=NOW + timedelta(minutes=10)), last_good=None, doubted=None, old_after=HOUR) == ""
