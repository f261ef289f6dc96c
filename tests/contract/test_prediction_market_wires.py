"""Every recorded answer of a prediction market is read, or quarantined with a reason; no recording is in this repository.

What a folder holds is listed here whole: a new file fails until somebody says what it is. The counts stand in
`docs/sources.md`; `python -m pytest -s -k counts` on this file prints them again.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from apps.sources.gathering import gather
from apps.sources.ports import Gathered
from apps.sources.strict import parse_json
from apps.sources.vendors.kalshi import feed as kalshi
from apps.sources.vendors.kalshi import orderbook as kalshi_orderbook
from apps.sources.vendors.kalshi import wire as kalshi_wire
from apps.sources.vendors.manifold import feed as manifold
from apps.sources.vendors.manifold import wire as manifold_wire
from apps.sources.vendors.polymarket_clob import feed as clob
from apps.sources.vendors.polymarket_gamma import feed as gamma
from apps.sources.vendors.polymarket_gamma import wire as gamma_wire
from tests.architecture.houses import ROOT

DATA = ROOT.parent / "shared" / "data"
RECORDED_AT = datetime(2026, 1, 12, 22, 8, tzinfo=UTC)

KALSHI_READ = {
    "markets_list_response.json",
    "market_single_response.json",
    "event_single_response.json",
    "events_list_response.json",
    "orderbook_response.json",
}
KALSHI_NOT_READ = {
    *("LICENSE", "candlesticks_batch_response.json", "event_candlesticks_response.json", "event_metadata_response.json"),
    *("events_multivariate_list_response.json", "exchange_announcements_response.json", "exchange_schedule_response.json"),
    *("exchange_status_response.json", "filters_by_sport_response.json", "incentive_programs_response.json"),
    *("live_data_batch_response.json", "live_data_milestone_response.json", "milestone_single_response.json"),
    *("milestones_list_response.json", "multivariate_event_collection_lookup_tickers_response.json"),
    *("multivariate_event_collection_single_response.json", "multivariate_event_collections_list_response.json"),
    *("series_candlesticks_response.json", "series_fee_changes_response.json", "series_list_response.json"),
    *("series_single_response.json", "structured_target_single_response.json", "structured_targets_list_response.json"),
    *("tags_by_categories_response.json", "trades_list_response.json", "user_data_timestamp_response.json"),
}
FOLDERS = {
    "prediction_market_lists_2026-06": {"kalshi_markets.json", "polymarket_markets.json"},
    "manifold_wire": {"recorded_responses.jsonl.gz"},
    "polymarket_btc5m": {"BTC-5m-markets-2026-06-08.jsonl.gz"},
    "polymarket_prices_history": {
        *("bulk_long_20260310T115811Z.csv", "geopolitical_history_20260310T135333Z.csv", "prices.parquet"),
    },
    "polymarket_resolved_2418": set(),
}
# Licences, guides, what others worked out from the wire, and a market place that the desk has no window to.
NOT_READ = {
    "prediction_market_lists_2026-06": {"limitless_markets.json"},
    "manifold_wire": {"LICENSE"},
    "polymarket_btc5m": {"BTCUSD-prices-2026-06-08.csv.gz", "DATA_GUIDE.md"},
    "polymarket_prices_history": {"markets.parquet"},
    "polymarket_resolved_2418": {"LICENSE", "results.json.gz"},
}


@dataclass(frozen=True)
class Count:
    """What became of the rows of one kind in one file."""

    file: str
    kind: str
    rows: int
    parsed: int
    reasons: Counter[str] = field(default_factory=Counter)


def recorded(*names: str) -> Path:
    path = DATA.joinpath(*names)
    if not path.exists():
        pytest.skip(f"the recorded data is not here: {path}")
    return path


def counted(file: str, kind: str, rows: int, gathered: Gathered[Any]) -> Count:
    """Count rows, none of which may be lost."""
    count = Count(file, kind, rows, len(gathered.records), Counter(row.reason for row in gathered.rejected))
    assert count.parsed + count.reasons.total() == rows
    return count


def read(file: str, kind: str, rows: Iterable[Any], reader: Callable[[object], Any], key: str) -> Count:
    listed = list(rows)
    return counted(file, kind, len(listed), gather(listed, reader, key=key))


def kalshi_response(name: str) -> Any:
    body: Any = parse_json(recorded("kalshi_wire", name).read_bytes())
    return body["response"]


def as_body(value: Any) -> bytes:
    return json.dumps(value, default=float).encode()


def kalshi_counts() -> list[Count]:
    markets = kalshi_wire.read_page(as_body(kalshi_response("markets_list_response.json")))[0]
    single = kalshi_response("market_single_response.json")["market"]
    event = kalshi_response("event_single_response.json")
    nested = kalshi_wire.read_page(as_body({"events": [{**event["event"], "markets": event["markets"]}]}))[0]
    events = kalshi_response("events_list_response.json")["events"]
    # Events come with their markets inside when asked so; here each is held by the one recorded market.
    held = [{**single, "event_ticker": row["event_ticker"], "event": row} for row in events]
    book = kalshi_orderbook.read_orderbook(as_body(kalshi_response("orderbook_response.json")))
    as_books = partial(kalshi.as_books, ticker="KXELONMARS-99", received_at=RECORDED_AT)
    newest: Any = parse_json(recorded("prediction_market_lists_2026-06", "kalshi_markets.json").read_bytes())
    return [
        read("kalshi_wire/markets_list_response.json", "markets", markets, kalshi.as_record, "ticker"),
        read("kalshi_wire/market_single_response.json", "markets", [single], kalshi.as_record, "ticker"),
        read("kalshi_wire/event_single_response.json", "markets", nested, kalshi.as_record, "ticker"),
        read("kalshi_wire/events_list_response.json", "events", held, kalshi.as_record, "ticker"),
        read("kalshi_wire/orderbook_response.json", "books", [book], as_books, "ticker"),
        read("prediction_market_lists_2026-06/kalshi_markets.json", "markets", newest, kalshi.as_record, "ticker"),
    ]


def polymarket_counts() -> list[Count]:
    with gzip.open(recorded("polymarket_btc5m", "BTC-5m-markets-2026-06-08.jsonl.gz"), "rb") as file:
        settled: list[Any] = [parse_json(line) for line in file]
    listed = gamma_wire.read_page(recorded("prediction_market_lists_2026-06", "polymarket_markets.json").read_bytes())[0]
    raw = [line["raw"] for line in settled]
    return [
        read("polymarket_btc5m/BTC-5m-markets-2026-06-08.jsonl.gz", "markets", raw, gamma.as_record, "conditionId"),
        read("prediction_market_lists_2026-06/polymarket_markets.json", "markets", listed, gamma.as_record, "conditionId"),
    ]


def points_of(rows: Iterable[tuple[str, int, str]]) -> tuple[int, Gathered[Any]]:
    """Read (token, seconds, price) as the CLOB's points, token by token as they are asked for."""
    by_token: dict[str, list[object]] = {}
    for token, second, price in rows:
        by_token.setdefault(token, []).append(parse_json(f'{{"t": {second}, "p": {price}}}'.encode()))
    gathered: Gathered[Any] = Gathered()
    for token, points in by_token.items():
        gathered = gathered.plus(gather(points, partial(clob.as_point, outcome_key=token), key="t"))
    return sum(map(len, by_token.values())), gathered


def history_counts() -> list[Count]:
    counts = []
    for name in ("bulk_long_20260310T115811Z.csv", "geopolitical_history_20260310T135333Z.csv"):
        with recorded("polymarket_prices_history", name).open(newline="") as file:
            lines = list(csv.DictReader(file))
        rows = [(row["token_id"], int(datetime.fromisoformat(row["timestamp"]).timestamp()), row["price"]) for row in lines]
        counts.append(counted(f"polymarket_prices_history/{name}", "points", *points_of(rows)))
    return counts


def parquet_counts() -> list[Count]:
    path = recorded("polymarket_prices_history", "prices.parquet")
    table = pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    rows = [(row["token_id"], int(row["timestamp"].timestamp()), repr(row["price"])) for row in table]
    return [counted("polymarket_prices_history/prices.parquet", "points", *points_of(rows))]


def manifold_lines() -> list[Any]:
    with gzip.open(recorded("manifold_wire", "recorded_responses.jsonl.gz"), "rt") as file:
        return [json.loads(line) for line in file]


def kind_of(line: Any) -> str:
    """Say what kind of answer a recorded one is: one that we read, or why not."""
    path = line["url"].split("?")[0].split("/v0/")[1]
    if line["status"] == 308:
        return "redirects"
    if line["method"] == "POST":
        return "answers to what was posted"
    head = path.partition("/")[0]
    kinds: dict[str, str] = {
        "markets": "lists of markets",
        "market": "single markets",
        "slug": "single markets",
        "bets": "lists of bets",
    }
    kinds |= {"group": "groups", "groups": "groups", "user": "users"}
    return kinds.get(head, str(path))


def manifold_counts() -> list[Count]:
    as_record = partial(manifold.as_record, received_at=RECORDED_AT)
    by_kind: dict[str, list[bytes]] = {}
    for line in manifold_lines():
        by_kind.setdefault(kind_of(line), []).append(line["body"].encode())
    markets = [row for body in by_kind["lists of markets"] for row in manifold_wire.read_list(body)]
    single = [manifold_wire.read_one(body) for body in by_kind["single markets"]]
    bets = [row for body in by_kind["lists of bets"] for row in manifold_wire.read_list(body)]
    file = "manifold_wire/recorded_responses.jsonl.gz"
    return [
        read(file, "markets in lists", markets, as_record, "id"),
        read(file, "single markets", single, as_record, "id"),
        read(file, "bets", bets, manifold_wire.read_bet, "id"),
    ]


COUNTERS = (kalshi_counts, polymarket_counts, history_counts, parquet_counts, manifold_counts)


def test_every_file_of_a_folder_is_known():
    known = {"kalshi_wire": KALSHI_READ | KALSHI_NOT_READ}
    known |= {folder: names | NOT_READ[folder] for folder, names in FOLDERS.items()}
    for folder, names in known.items():
        assert {path.name for path in recorded(folder).iterdir()} == names, folder


def test_every_kalshi_answer_of_both_writings_is_read():
    assert [(count.rows, count.parsed) for count in kalshi_counts()] == [(5, 5), (1, 1), (1, 1), (5, 5), (1, 1), (5, 5)]


def test_the_recorded_kalshi_market_is_what_it_was():
    event = kalshi_response("event_single_response.json")
    record = kalshi.as_record({**event["markets"][0], "event": event["event"]})
    assert (record.key, record.event.title) == ("KXELONMARS-99", "Will Elon Musk visit Mars in his lifetime?")
    assert (record.question, record.category) == ("Will Elon Musk visit Mars before Aug 1, 2099?", "world")
    assert (record.volume, record.tick_size, record.accepts_orders) == (Decimal(35001), Decimal("0.01"), True)


def test_every_polymarket_answer_is_read():
    assert [(count.rows, count.parsed) for count in polymarket_counts()] == [(292, 292), (5, 5)]


def test_every_point_of_the_recorded_price_histories_is_read():
    assert [(count.rows, count.parsed) for count in history_counts()] == [(80, 80), (304, 304)]
    assert [(count.rows, count.parsed) for count in parquet_counts()] == [(32849, 32849)]


def test_every_manifold_answer_is_read_or_says_why_not():
    kinds = Counter(kind_of(line) for line in manifold_lines())
    assert kinds.total() == 136
    assert kinds == {
        "lists of markets": 2,
        "single markets": 7,
        "lists of bets": 6,
        "answers to what was posted": 14,
        "redirects": 3,
        "groups": 102,
        "users": 2,
    }
    lists, single, bets = manifold_counts()
    assert (lists.rows, lists.parsed, single.rows, single.parsed, bets.rows, bets.parsed) == (1500, 1171, 7, 4, 270, 270)
    assert lists.reasons == {
        "outcomeType is FREE_RESPONSE: only BINARY is read": 244,
        "outcomeType is NUMERIC: only BINARY is read": 45,
        "outcomeType is PSEUDO_NUMERIC: only BINARY is read": 11,
        "outcomeType is MULTIPLE_CHOICE: only BINARY is read": 1,
        "resolutionProbability is missing": 27,
        "closeTime is not a plausible moment": 1,
    }


def test_every_end_that_manifold_recorded_pays_as_it_says():
    as_record = partial(manifold.as_record, received_at=RECORDED_AT)
    bodies = [line["body"].encode() for line in manifold_lines() if kind_of(line) == "lists of markets"]
    gathered = gather([row for body in bodies for row in manifold_wire.read_list(body)], as_record, key="id")
    ends = Counter(record.resolution and (record.resolution.status, record.resolution.payouts[:1]) for record in gathered.records)
    paid = {(Decimal(1),): 232, (Decimal(0),): 105, (Decimal("0.33"),): 1}
    assert ends == {None: 765, ("void", ()): 68} | {("final", payouts): number for payouts, number in paid.items()}
    assert {record.accepts_orders for record in gathered.records} == {False}


def test_the_counts_can_be_printed():
    counts = [count for counter in COUNTERS for count in counter()]
    print("\n" + table_of(counts))
    assert len(counts) == 14
    assert sum(count.rows for count in counts) == sum(count.parsed + count.reasons.total() for count in counts)


def table_of(counts: Iterable[Count]) -> str:
    """Write counts as the table that the documentation holds."""
    lines = ["| file | kind | rows | read | quarantined, by reason |", "|---|---|---:|---:|---|"]
    for count in counts:
        reasons = "; ".join(f"{number} × {reason}" for reason, number in count.reasons.most_common()) or "none"
        lines.append(f"| `{count.file}` | {count.kind} | {count.rows:,} | {count.parsed:,} | {reasons} |")
    return "\n".join(lines)
