"""Yahoo's chart: columns with holes in, candles out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer
from apps.sources.ports import Reply
from apps.sources.vendors.yahoo import feed
from tests.factories.wires import as_body, yahoo_chart

NOW = datetime(2026, 6, 8, tzinfo=UTC)


class Answer:
    """A caller that gives one body and keeps the question."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked: list[Any] = []

    async def get(self, path, params=(), headers=()):
        self.asked.append((path, dict(params)))
        return Reply(body=self.body, received_at=NOW)

    async def post(self, path, body, *, repeatable=True):
        raise AssertionError("Yahoo is never posted to")


def chart(value, symbol="^GSPC", since=None):
    return asyncio.run(feed.candles(Answer(as_body(value)), symbol, since))


def bent(field: str, index: int, value):
    answer = yahoo_chart()
    answer["chart"]["result"][0]["indicators"]["quote"][0][field][index] = value
    return answer


def test_bars_and_instrument_are_read_and_days_without_trade_are_passed_over():
    got = chart(yahoo_chart())
    assert (got.instrument.symbol, got.instrument.name, got.instrument.kind) == ("^GSPC", "S&P 500", "index")
    assert (got.instrument.currency, got.instrument.note) == ("USD", "SNP")
    assert [(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in got.bars.records] == [
        (Decimal(10), Decimal(11), Decimal("9.5"), Decimal("10.5"), Decimal(1000)),
        (Decimal("12.5"), Decimal(13), Decimal(12), Decimal("12.75"), Decimal(2000)),
    ]
    assert got.bars.records[0].closes_at == datetime(2026, 6, 6, tzinfo=UTC)
    assert got.bars.rejected == ()


@pytest.mark.parametrize(
    ("end", "is_final"), [(1_780_876_800, True), (1_780_876_799, True), (1_780_876_801, False), (None, True)]
)
def test_the_last_bar_is_final_only_when_its_session_has_ended(end, is_final):
    period = {"regular": {"end": end}} if end else None
    bars = chart(yahoo_chart(currentTradingPeriod=period)).bars.records
    assert [bar.final for bar in bars] == [True, is_final]


def test_without_any_word_on_the_session_the_last_bar_is_not_final():
    bars = chart(yahoo_chart(currentTradingPeriod=None, regularMarketTime=None)).bars.records
    assert [bar.final for bar in bars] == [True, False]


def test_a_missing_name_is_the_short_one_or_the_symbol():
    assert chart(yahoo_chart(longName=None, shortName="SPX")).instrument.name == "SPX"
    assert chart(yahoo_chart(longName=None)).instrument.name == "^GSPC"


def test_a_volume_that_is_missing_is_none():
    assert chart(bent("volume", 0, None)).bars.records[0].volume is None


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("high", 9.0, "below low"),
        ("open", 13.0, "not between"),
        ("close", -5.0, "close is not between"),
        ("open", 0, "open is not between"),
        ("open", "10", "open is not a number"),
        ("volume", -1, "volume is not between"),
    ],
)
def test_a_bar_that_contradicts_itself_is_named_and_the_rest_is_kept(field, value, reason):
    got = chart(bent(field, 0, value))
    assert len(got.bars.records) == 1
    assert len(got.bars.rejected) == 1
    assert reason in got.bars.rejected[0].reason
    assert got.bars.rejected[0].key in ("1780704000", "^GSPC 2026-06-06T00:00:00+00:00")


def test_bars_come_oldest_first_and_the_later_of_two_with_one_moment_stands():
    answer = yahoo_chart()
    answer["chart"]["result"][0]["timestamp"] = [1_780_876_800, 1, 1_780_876_800]
    bars = chart(answer).bars.records
    assert [bar.close for bar in bars] == [Decimal("12.75")]


def test_a_window_without_bars_is_an_instrument_without_bars():
    answer = yahoo_chart()
    answer["chart"]["result"][0] = {"meta": answer["chart"]["result"][0]["meta"], "indicators": {"quote": [{}]}}
    assert chart(answer).bars.records == ()


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"chart": None},
        {"chart": {"result": None, "error": {"code": "Not Found"}}},
        {"chart": {"result": [], "error": None}},
        {"chart": {"result": [{}], "error": None}},
        {"finance": {"result": None, "error": {"code": "Unauthorized"}}},
    ],
)
def test_an_answer_of_the_wrong_shape_is_refused_whole(value):
    with pytest.raises(BadAnswer):
        chart(value)


def test_columns_of_different_lengths_are_refused_whole():
    answer = yahoo_chart()
    answer["chart"]["result"][0]["indicators"]["quote"][0]["close"].pop()
    with pytest.raises(BadAnswer, match="close has 2 values for 3 timestamps"):
        chart(answer)


def test_an_answer_about_another_symbol_is_refused_whole():
    with pytest.raises(BadAnswer, match="asked for AAPL"):
        chart(yahoo_chart(), symbol="AAPL")


def test_symbols_are_written_safely_into_the_address():
    caller = Answer(as_body(yahoo_chart(symbol="../x?y=1")))
    asyncio.run(feed.candles(caller, "../x?y=1", None))
    assert caller.asked == [("/v8/finance/chart/..%2Fx%3Fy%3D1", {"interval": "1d", "range": "5y"})]


def test_only_newer_bars_are_asked_for_when_older_ones_are_known():
    caller = Answer(as_body(yahoo_chart()))
    asyncio.run(feed.candles(caller, "^GSPC", datetime(2026, 6, 6, tzinfo=UTC)))
    asked = caller.asked[0][1]
    assert asked["period1"] == "1780704000"
    assert int(asked["period2"]) > 1_780_704_000 + 86_400 * 365
    assert "range" not in asked


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["quote", "open", "x"]), inner, max_size=3),
    max_leaves=8,
)
places = st.sampled_from([("meta",), ("timestamp",), ("indicators",), ("meta", "symbol"), ("meta", "currentTradingPeriod")])


@given(place=places, value=junk)
def test_a_bent_chart_is_a_chart_or_a_bad_answer(place, value):
    answer = yahoo_chart()
    target = answer["chart"]["result"][0]
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = value
    try:
        got = chart(answer)
    except BadAnswer:
        return
    assert all(bar.low <= bar.close <= bar.high for bar in got.bars.records)
