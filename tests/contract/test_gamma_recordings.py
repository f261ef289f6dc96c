"""Every Gamma object that was really recorded can be read; none of the recordings is part of this repository."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.sources.errors import BadAnswer
from apps.sources.strict import parse_json
from apps.sources.vendors.polymarket_gamma import feed, wire
from tests.architecture.houses import ROOT

DATA = ROOT.parent / "shared" / "data"
FIVE_MINUTES = DATA / "polymarket_btc5m"
LISTS = DATA / "prediction_market_lists_2026-06" / "polymarket_markets.json"
ERRORS = DATA / "http_errors" / "recorded_error_responses.jsonl.gz"
PAGES_OF_HTML = DATA / "http_errors" / "cloudflare_html"


def recorded(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"the recorded data is not here: {path}")
    return path


def lines_of(path: Path) -> list[Any]:
    with gzip.open(path, "rb") as file:
        return [parse_json(line) for line in file]


def test_every_settled_five_minute_market_is_read_with_the_result_that_it_had():
    lines = [line for path in sorted(recorded(FIVE_MINUTES).glob("*.jsonl.gz")) for line in lines_of(path)]
    results: Counter[tuple[Decimal, ...]] = Counter()
    for line in lines:
        record = feed.as_record(line["raw"])
        assert [outcome.key for outcome in record.outcomes] == line["token_ids"]
        assert record.resolution is not None
        assert record.event.starts_at is not None
        assert record.resolution.status == "final"
        assert list(record.resolution.payouts) == [Decimal(price) for price in line["outcome_prices"]]
        assert (record.fee_rate, record.category, record.closed) == (Decimal("0.07"), "crypto", True)
        assert int(record.closes_at.timestamp()) == line["end_sec"]
        assert int(record.event.starts_at.timestamp()) == line["start_sec"]
        results[record.resolution.payouts] += 1
    assert len(lines) == 292
    assert results == {(Decimal(0), Decimal(1)): 155, (Decimal(1), Decimal(0)): 137}


def test_every_market_of_the_public_list_is_read_and_none_of_them_has_ended():
    rows: Any = parse_json(recorded(LISTS).read_bytes())
    records = [feed.as_record(row) for row in rows]
    assert len(records) == 5
    assert {record.resolution for record in records} == {None}
    assert {record.fee_rate for record in records} == {Decimal("0.05")}
    assert {record.event.title for record in records} == {"What will happen before GTA VI?"}


def test_no_recorded_page_of_errors_is_taken_for_an_answer():
    pages = [path.read_bytes() for path in sorted(recorded(PAGES_OF_HTML).glob("*.html"))]
    assert len(pages) == 6
    for page in pages:
        with pytest.raises(BadAnswer, match="HTML"):
            wire.read_page(page)


def test_no_recorded_error_body_is_taken_for_a_page_of_markets():
    bodies = [json.dumps(line["body"]).encode() for line in lines_of(recorded(ERRORS))]
    assert len(bodies) == 38
    for body in bodies:
        with pytest.raises(BadAnswer):
            wire.read_page(body)
