"""The recorded world against 292 objects that the vendor really sent: the same fields with the same JSON types.

The recorded objects lie beside the repository (`../shared/data`); without them the test says so and skips.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.sources.world.gamma_objects import event_object, event_summary, market_object
from apps.sources.world.recording import Recording, load_recording
from apps.sources.world.timeline import Timeline

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FOLDER = SHARED / "polymarket_btc5m"
LISTS = SHARED / "prediction_market_lists_2026-06" / "polymarket_markets.json"
SOMETIMES = {"bestBid", "bestAsk", "oneHourPriceChange"}
ONLY_WHEN_CLOSED = {"closedTime", "umaEndDate", "umaResolutionStatus", "automaticallyResolved"}


@pytest.fixture(scope="module")
def theirs() -> list[dict[str, Any]]:
    files = sorted(FOLDER.glob("*-markets-*.jsonl.gz"))
    if not files:
        pytest.skip("the recorded Gamma objects (../shared/data/polymarket_btc5m) are not on this machine")
    return [json.loads(line)["raw"] for line in lines_of(files[0])]


def lines_of(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from lines


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load_recording()


@pytest.fixture(scope="module")
def timeline(recording: Recording) -> Timeline:
    return Timeline(1_800_000_000.0, recording.begins_ms, 60.0)


def as_sent(body: dict[str, Any]) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(json.dumps(body))
    return sent


def types_of(objects: list[dict[str, Any]]) -> dict[str, set[type]]:
    found: dict[str, set[type]] = defaultdict(set)
    for body in objects:
        for name, value in body.items():
            found[name].add(type(value))
    return found


def test_resolved_markets_have_the_vendors_fields_and_types(theirs, recording, timeline):
    ours = [as_sent(market_object(market, market.resolves_ms, timeline)) for market in recording.markets]
    their_types, our_types = types_of(theirs), types_of(ours)
    assert set(our_types) == set(their_types)
    wrong = {name: found for name, found in our_types.items() if not found <= their_types[name]}
    assert wrong == {}
    for body in ours:
        assert set(their_types) - set(body) <= SOMETIMES


def test_json_inside_strings_has_the_vendors_types(theirs, recording, timeline):
    market = recording.markets[0]
    ours = as_sent(market_object(market, market.resolves_ms, timeline))
    for name in ("outcomes", "outcomePrices", "clobTokenIds"):
        values = json.loads(ours[name])
        assert [type(value) for value in values] == [type(value) for value in json.loads(theirs[0][name])] == [str, str]
    assert types_of([ours["feeSchedule"]]) == types_of([theirs[0]["feeSchedule"]])
    assert ours["feeSchedule"] == theirs[0]["feeSchedule"]


def test_constant_fields_have_the_vendors_values(theirs, recording, timeline):
    market = recording.markets[0]
    ours = as_sent(market_object(market, market.resolves_ms, timeline))
    texts = {"icon", "image", "description"}
    constant = {name for name in theirs[0] if len({json.dumps(body.get(name)) for body in theirs}) == 1} - texts
    different = {name: (ours[name], theirs[0][name]) for name in constant if ours[name] != theirs[0][name]}
    assert different == {"umaResolutionStatuses": ('["proposed"]', "[]")}, "the recorded days were resolved without a proposal"


def test_times_are_written_as_the_vendor_writes_them(theirs, recording, timeline):
    market = recording.markets[0]
    ours = as_sent(market_object(market, market.resolves_ms, timeline))
    shape = str.maketrans("123456789", "0" * 9)
    for name in ("endDate", "eventStartTime", "closedTime", "umaEndDate", "startDateIso", "endDateIso"):
        without_fraction = ours[name].partition(".")[0].translate(shape)
        assert theirs[0][name].translate(shape).startswith(without_fraction)


def test_open_markets_lack_what_only_a_closed_one_has(recording, timeline):
    for market in recording.markets:
        ours = market_object(market, market.starts_ms, timeline)
        assert not ONLY_WHEN_CLOSED & set(ours)
        assert ours["closed"] is False
        assert ours["active"] is True
        assert sum(float(price) for price in json.loads(ours["outcomePrices"])) == pytest.approx(1)


def test_the_event_inside_a_market_has_the_vendors_types(recording, timeline):
    if not LISTS.exists():
        pytest.skip("the recorded lists (../shared/data/prediction_market_lists_2026-06) are not on this machine")
    their_events = [event for market in json.loads(LISTS.read_text()) for event in market["events"]]
    their_types = types_of(their_events)
    ours = types_of([as_sent(event_summary(market, market.starts_ms, timeline)) for market in recording.markets])
    numbers = {frozenset({int}), frozenset({float}), frozenset({int, float})}
    for name in set(ours) & set(their_types):
        same = ours[name] <= their_types[name] or {frozenset(ours[name]), frozenset(their_types[name])} <= numbers
        assert same, (name, ours[name], their_types[name])
    assert set(ours) - set(their_types) <= {"startTime", "seriesSlug"}, "an event of a series has these too"


def test_events_carry_their_market_and_its_tags(recording, timeline):
    market = recording.markets[0]
    event = as_sent(event_object(market, market.starts_ms, timeline))
    assert [inner["conditionId"] for inner in event["markets"]] == [market.condition_id]
    assert event["tags"] == [{"id": "21", "label": "Crypto", "slug": "crypto"}]
