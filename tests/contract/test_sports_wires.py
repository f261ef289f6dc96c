"""Every recorded file of the vendors of sports is read, or named with a reason; none of them is part of this repository."""

from __future__ import annotations

import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.gates.dates import swapped
from apps.sources.vendors.betfair_stream import markets, pricing
from apps.sources.vendors.betfair_stream.stream import Market, Stream, replay
from apps.sources.vendors.betfair_stream.wire import lines_of, read_line
from apps.sources.vendors.football_data import feed as football
from apps.sources.vendors.football_data import wire
from apps.sources.vendors.football_data.columns import price_columns
from apps.sources.vendors.goalserve import results
from tests.architecture.houses import ROOT

DATA = ROOT.parent / "shared" / "data"
NOW = datetime(2026, 6, 8, tzinfo=UTC)
EARLY = {"034": "0304", "045": "0405", "056": "0506", "067": "0607", "078": "0708", "089": "0809"}


def recorded(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"the recorded data is not here: {DATA / name}")
    return DATA / name


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


# --- football-data -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seasons() -> dict[str, bytes]:
    found = {}
    for path in sorted(recorded("football_data_csv").glob("*.csv.gz")):
        division, _, season = path.name.removesuffix(".csv.gz").partition("_")
        found[f"{EARLY.get(season, season)}/{division}"] = unpacked(path)
    return found


def test_every_match_of_every_season_is_read(seasons):
    counts = {key: football.read_results(body, key) for key, body in seasons.items()}
    rows = sum(len(wire.read_file(body).rows) for body in seasons.values())
    assert (len(seasons), rows) == (109, 39_470)
    assert sum(len(gathered.records) for gathered in counts.values()) == 39_470
    assert [fault for gathered in counts.values() for fault in gathered.rejected] == []
    assert {match.status for gathered in counts.values() for match in gathered.records} == {"finished"}
    assert len(counts["1920/F1"].records) == 279  # the season that was abandoned
    assert len(counts["0304/D1"].records) == 194  # a file that stops early


def test_every_column_of_odds_is_known(seasons):
    plain = re.compile(r"(Div|Date|Time|HomeTeam|AwayTeam|Referee|FTR|HTR|(FT|HT)[HA]G|[HA](S|ST|F|C|Y|R)|Unnamed__\d+)")
    sizes = re.compile(r"(Bb1X2|BbOU|BbAH|BbAHh|AHh|AHCh|(GB|LB|B365)AH)")  # how many books, and the sizes of handicaps
    unknown: Counter[str] = Counter()
    for body in seasons.values():
        header = wire.read_file(body).header
        known = {column.name for column in price_columns(header)}
        unknown.update(name for name in header if name not in known and not plain.fullmatch(name) and not sizes.fullmatch(name))
    assert unknown == {}


def test_two_million_odds_are_believed_and_the_wrong_ones_named(seasons):
    lines, records = 0, 0
    reasons: Counter[str] = Counter()
    for key, body in seasons.items():
        gathered = football.read_odds(body, key, NOW)
        records += len(gathered.records)
        lines += sum(len(record.lines) for record in gathered.records)
        reasons.update(re.sub(r"^\w+: ", "", fault.reason) for fault in gathered.rejected)
    assert (records, lines) == (39_465, 2_031_423)
    assert reasons == {
        "overround outside 0.98 to 1.40": 61,
        "overround outside 0.80 to 1.40": 13,
        "a handicap price without a handicap": 11,
        "the handicap is not in quarters": 14,
        "odds that are not above 1 and at most 1001": 4,
    }


def test_days_and_months_that_really_changed_places_are_found_without_a_false_alarm():
    parquet = pytest.importorskip("pyarrow.parquet")
    path = recorded("football_27countries") / "matches_wide_dev_to_2023-06.parquet"
    columns = ["date", "league", "division", "year", "date_as_published"]
    lists: defaultdict[tuple[Any, ...], list[tuple[date, date]]] = defaultdict(list)
    for row in parquet.read_table(path, columns=columns).to_pylist():
        true, published = (date.fromisoformat(row[name]) for name in ("date", "date_as_published"))
        lists[row["league"], row["division"], row["year"]].append((true, published))
    found: Counter[str] = Counter()
    for pairs in lists.values():
        for (true, published), meant in zip(pairs, swapped([day for _, day in pairs]), strict=True):
            fate = "not doubted" if meant is None else "repaired" if meant == true else "misread"
            found[f"{'changed' if true != published else 'right'}, {fate}"] += 1
    assert found == {"right, not doubted": 115_632, "changed, repaired": 15_224, "changed, not doubted": 109}


# --- Goalserve ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "states", "scores"),
    [
        ("brazil", {"finished": 513, "postponed": 1}, 511),
        ("brazil_a", {"finished": 1}, 1),
        ("brazil_shedule", {"scheduled": 91}, 0),
        ("soccernew", {"scheduled": 79, "finished": 6}, 6),
    ],
)
def test_every_recorded_match_is_read(name, states, scores):
    gathered = results.read_results(unpacked(recorded("goalserve_results_xml") / f"{name}.xml.gz"))
    assert gathered.rejected == ()
    assert Counter(match.status for match in gathered.records) == states
    assert sum(match.home_score is not None for match in gathered.records) == scores
    assert len({match.key for match in gathered.records}) == len(gathered.records)


def test_a_document_about_something_else_is_refused():
    with pytest.raises(BadAnswer, match="topscorers"):
        results.read_results(unpacked(recorded("goalserve_results_xml") / "brazil1.xml.gz"))


def test_extra_time_does_not_count():
    gathered = results.read_results(unpacked(recorded("goalserve_results_xml") / "soccernew.xml.gz"))
    by_teams = {(match.home, match.away): (match.home_score, match.away_score) for match in gathered.records}
    assert by_teams["Amur", "Belogorsk"] == (0, 0)  # 0-1 in the 93rd minute of a match decided after extra time
    assert by_teams["Raspadskaya FK", "Omsk"] == (1, 1)  # 2-4 on penalties


# --- Betfair -----------------------------------------------------------------------------------------------------------


def replayed(name: str) -> Stream:
    path = recorded("betfair_streams") / name
    return replay(unpacked(path), path.name)


def ends(stream: Stream) -> dict[str, tuple[str, list[int]] | None]:
    """Return how each market of ours ended: the status and which outcomes were paid."""
    found: dict[str, tuple[str, list[int]] | None] = {}
    for market in stream.markets.values():
        assert market.first is not None
        assert market.definition is not None
        for record in markets.records_of(market, market.first, market.definition):
            end = record.resolution
            found[record.key] = (
                None if end is None else (end.status, [place for place, paid in enumerate(end.payouts) if paid == 1])
            )
    return found


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("flumine/1.197931750.gz", 166, {"1.197931750": ("final", [1])}),
        ("flumine/1.200806927.gz", 18_529, {"1.200806927": ("final", [0])}),
        ("flumine/BASIC-1.132153978.gz", 480, {"1.132153978": ("void", [])}),  # two horses were withdrawn
        ("betfairlightweight/historicaldata/BASIC-1.132153978", 480, {"1.132153978": ("void", [])}),
    ],
)
def test_every_recorded_market_is_read_to_its_end(name, lines, expected):
    stream = replayed(name)
    assert stream.rejected == []
    assert sum(1 for _ in lines_of(unpacked(DATA / "betfair_streams" / name))) == lines
    assert ends(stream) == expected


def test_a_market_of_places_is_a_question_for_each_runner_and_two_are_paid_yes():
    found = ends(replayed("flumine/1.197931751.gz"))
    assert len(found) == 6
    assert sorted(key.partition(":")[2] for key, end in found.items() if end == ("final", [0])) == ["37947503", "39823721"]
    assert sum(end == ("final", [1]) for end in found.values()) == 4


def _books(name: str) -> Iterator[Any]:
    """Yield the book of every runner after every line."""
    stream = Stream()
    for line in lines_of(unpacked(recorded("betfair_streams") / name)):
        message = read_line(line)
        assert message is not None
        stream.take(message)
        for change in message.changes:
            market = stream.markets[change.id]
            for runner in change.runners:
                yield pricing.book_of(market, runner.id, key="k", is_against=False, received_at=NOW)


@pytest.mark.parametrize(
    ("name", "seen", "two_sided"),
    [("flumine/1.197931750.gz", 983, 983), ("flumine/1.197931751.gz", 967, 967), ("flumine/1.200806927.gz", 21_885, 21_311)],
)
def test_no_book_of_a_recording_is_ever_crossed_or_outside_zero_and_one(name, seen, two_sided):
    found = [book for book in _books(name) if book is not None]
    both = [book for book in found if book.bids and book.asks]
    assert all(book.bids[0].price < book.asks[0].price for book in both)
    assert all(Decimal(0) < level.price < 1 for book in found for level in (*book.bids, *book.asks))
    for book in found:
        assert list(book.asks) == sorted(book.asks, key=lambda level: level.price)
        assert list(book.bids) == sorted(book.bids, key=lambda level: -level.price)
    assert (len(found), len(both)) == (seen, two_sided)


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("streaming_mcm_SUB_IMAGE.json", {}),
        ("streaming_mcm_RESUB_DELTA.json", {}),
        ("streaming_mcm_SUB_IMAGE_no_market_def.json", {}),
        ("streaming_mcm_HEARTBEAT.json", {}),
        ("streaming_mcm_update.json", {}),
        ("streaming_mcm_UPDATE_md.json", {}),
        ("streaming_mcm_UPDATE_tv.json", {}),
        ("streaming_connection.json", {}),
        ("streaming_status.json", {}),
        ("streaming_503.json", {"pt is missing": 1}),
        # Written over many lines, which no stream does.
        ("streaming_rcm.json", {"the body is not JSON (JSONDecodeError)": 41, "op is missing": 1, "the row is not an object": 1}),
        ("streaming_ocm_FULL_IMAGE.json", {"op is not mcm": 1}),
        ("historicaldata/CRICKET-1.179676557", {"op is not mcm": 3}),
        ("historicaldata/RACE-1.140075353", {"op is not mcm": 4}),
        ("historicaldata/ORDER-1.177596575", {"op is not mcm": 4}),
    ],
)
def test_every_single_message_is_read_or_named(name, reasons):
    stream = replayed(f"betfairlightweight/{name}")
    assert Counter(fault.reason for fault in stream.rejected) == reasons
    for market in stream.markets.values():
        _read_or_named(market)


def _read_or_named(market: Market) -> None:
    """A market whose definition was recorded is read or named; one without it is known by its prices only."""
    if market.first is None or market.definition is None:
        assert market.runners or market.volume
        return
    with suppress(BadRow):
        assert markets.records_of(market, market.first, market.definition)
