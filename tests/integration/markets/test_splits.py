"""A split in a vendor's chart: the newest bars show it, and then the whole history is asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from apps.markets import services
from apps.markets.models import Candle
from apps.markets.types import CandleCounts
from apps.sources.models import Quarantine
from tests.factories.wires import yahoo_chart
from tests.integration.sources.conftest import vendor  # noqa: F401 - a fixture
from tests.integration.sources.upstream import Answer, Question

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)
DAY_S = 86_400
FIRST_S = int((NOW - timedelta(days=60)).timestamp())


def closes(count: int) -> list[float]:
    return [100.0 + index * 7 % 13 for index in range(count)]


def chart(prices: list[float]):
    """Answer as the vendor does: the days from `period1` on, or all of them."""

    def answer(question: Question) -> Answer:
        since_s = int(dict(question.query).get("period1", 0))
        days = [(FIRST_S + index * DAY_S, price) for index, price in enumerate(prices) if FIRST_S + index * DAY_S >= since_s]
        end = {"regular": {"start": FIRST_S, "end": days[-1][0]}}
        value = yahoo_chart(currentTradingPeriod=end)
        columns = {name: [price for _, price in days] for name in ("open", "high", "low", "close")}
        value["chart"]["result"][0] |= {
            "timestamp": [at_s for at_s, _ in days],
            "indicators": {"quote": [{**columns, "volume": [10] * len(days)}]},
        }
        return Answer(json.dumps(value).encode())

    return answer


def refresh() -> CandleCounts:
    return services.refresh_candles(source="yahoo", symbol="^GSPC", now=NOW, by="test")


def stored() -> list[float]:
    return [float(close) for close in Candle.objects.order_by("closes_at").values_list("close", flat=True)]


def test_a_split_restates_the_whole_history_with_one_more_question(vendor):  # noqa: F811
    vendor.script = chart(closes(50))
    assert refresh() == CandleCounts(seen=50, created=50)
    split = [price / 2 for price in closes(51)]
    vendor.script = chart(split)
    assert refresh() == CandleCounts(seen=51, created=1, restated=50)
    assert stored() == split
    assert ["period1" in dict(question.query) for question in vendor.questions] == [False, True, False]
    assert refresh() == CandleCounts(seen=31, unchanged=31)


def test_an_answer_times_a_hundred_is_refused_with_no_more_questions(vendor):  # noqa: F811
    vendor.script = chart(closes(50))
    refresh()
    vendor.script = chart([price * 100 for price in closes(51)])
    assert refresh() == CandleCounts(seen=32, invalid=32)
    assert stored() == closes(50)
    assert (len(vendor.questions), Quarantine.objects.get().row_key) == (2, "^GSPC")
