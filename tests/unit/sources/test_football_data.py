"""football-data.co.uk: files whose columns change every season."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer, NotAtVendor
from apps.sources.ports import Reply
from apps.sources.vendors.football_data import VENDOR, feed
from apps.sources.vendors.football_data.columns import price_columns
from tests.factories.football_data import ODDS, file

NOW = datetime(2026, 6, 8, tzinfo=UTC)
KEY = "2425/E0"


ROW = "E0,16/08/2024,20:00,Man United,Fulham,1,0,H"


def results(body: bytes, key: str = KEY):
    gathered = feed.read_results(body, key)
    return gathered.records, [fault.reason for fault in gathered.rejected]


def offered(columns: str, values: str):
    """Return the lines of one match with these columns of odds, and the reasons of what was refused."""
    body = file("E0,16/08/2024,Man United,Fulham,1,0,H," + values, header=ODDS + columns)
    gathered = feed.read_odds(body, KEY, NOW)
    lines = [line for record in gathered.records for line in record.lines]
    return [(x.kind, x.outcome, x.bookmaker, x.odds, x.line, x.closing) for x in lines], [x.reason for x in gathered.rejected]


def test_a_match_is_read_with_its_kick_off_in_utc():
    (record,), faults = results(file(ROW))
    assert faults == []
    assert (record.key, record.sport, record.league) == ("E0:2024-08-16:Man United:Fulham", "soccer", "E0")
    assert record.starts_at == datetime(2024, 8, 16, 19, 0, tzinfo=UTC)  # 20:00 in British summer time
    assert (record.status, record.home_score, record.away_score) == ("finished", 1, 0)


@pytest.mark.parametrize(
    ("day", "key", "moment"),
    [
        ("18/08/12", "1213/E0", datetime(2012, 8, 18, 12, tzinfo=UTC)),
        ("18/08/2012", "1213/E0", datetime(2012, 8, 18, 12, tzinfo=UTC)),
        ("14/08/93", "9394/E0", datetime(1993, 8, 14, 12, tzinfo=UTC)),
    ],
)
def test_both_forms_of_date_are_read_and_midday_stands_for_a_time_that_is_not_told(day, key, moment):
    (record,), _ = results(file(f"E0,{day},A,B,1,0,H", header="Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR"), key)
    assert record.starts_at == moment


def test_a_match_without_goals_is_still_to_come():
    (record,), _ = results(file("E0,16/08/2024,20:00,A,B,,,"))
    assert (record.status, record.home_score) == ("scheduled", None)


def test_empty_rows_columns_and_a_mark_at_the_beginning_are_passed_over():
    body = b"\xef\xbb\xbf" + file(ROW + ",,,", ",,,,,,,", "", header="Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR,,,")
    assert len(results(body)[0]) == 1


def test_names_in_the_windows_alphabet_are_read():
    body = file("D1,16/08/2024,20:00,K\xf6ln,M'gladbach,1,0,H").decode().encode("cp1252")
    assert results(body)[0][0].home == "Köln"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("E0,16-08-2024,20:00,A,B,1,0,H", "Date is not a date"),
        ("E0,31/02/2025,20:00,A,B,1,0,H", "Date is no real date"),
        ("E0,16/08/2023,20:00,A,B,1,0,H", "2023-08-16 is outside the season 2425/E0"),
        ("E0,16/08/2024,25:00,A,B,1,0,H", "Time is not a time of day"),
        ("E0,16/08/2024,20:00,,B,1,0,H", "HomeTeam is not a name"),
        ("E0,16/08/2024,20:00,A,B,1,,H", "goals of one team only"),
        ("E0,16/08/2024,20:00,A,B,x,0,H", "FTHG is not a number of goals"),
        ("E0,16/08/2024,20:00,A,B,1,0,A", "FTR contradicts the goals"),
        ("E0,16/08/2024,20:00,A", "the row is cut"),
        ("E0 !,16/08/2024,20:00,A,B,1,0,H", "Div is not a division"),
        (f"E0,16/08/2024,20:00,{'A' * 40},{'B' * 40},1,0,H", "the names of the teams are too long"),
    ],
)
def test_a_row_that_cannot_be_believed_is_named_and_the_others_are_read(row, reason):
    found, faults = results(file("E0,17/08/2024,20:00,C,D,2,2,D", row))
    assert ([record.home for record in found], faults) == (["C"], [reason])


def test_a_match_told_twice_is_refused_the_second_time():
    found, faults = results(file(ROW, ROW))
    assert (len(found), faults) == (1, ["the match is told twice"])


def test_a_day_and_month_that_changed_places_are_refused_with_what_was_meant():
    saturdays = [date(2024, 8, 17) + timedelta(days=7 * number) for number in range(30)]
    rows = [f"E0,{day:%d/%m/%Y},15:00,A{number},B,1,0,H" for number, day in enumerate(saturdays)]
    assert results(file(*rows))[1] == []
    rows[3] = "E0,09/07/2024,15:00,A3,B,1,0,H"  # 7 September, the other way round
    found, faults = results(file(*rows))
    assert len(found) == 29
    assert faults == ["day and month of 2024-07-09 changed places: 2024-09-07 fits the matches around it"]


def test_odds_of_every_kind_and_both_spellings_are_read():
    got, faults = offered(
        "B365H,B365D,B365A,PSCH,PSCD,PSCA,B365>2.5,B365<2.5,AvgC_2_5,AvgC_2_5_1", "1.6,4.2,5.25,1.65,4.23,5.28,1.53,2.5,1.61,2.37"
    )
    assert faults == []
    assert got == [
        ("1x2", "home", "Bet365", Decimal("1.6"), None, False),
        ("1x2", "draw", "Bet365", Decimal("4.2"), None, False),
        ("1x2", "away", "Bet365", Decimal("5.25"), None, False),
        ("1x2", "home", "Pinnacle", Decimal("1.65"), None, True),
        ("1x2", "draw", "Pinnacle", Decimal("4.23"), None, True),
        ("1x2", "away", "Pinnacle", Decimal("5.28"), None, True),
        ("over_under", "over", "Bet365", Decimal("1.53"), Decimal("2.5"), False),
        ("over_under", "under", "Bet365", Decimal("2.5"), Decimal("2.5"), False),
        ("over_under", "over", "market average", Decimal("1.61"), Decimal("2.5"), True),
        ("over_under", "under", "market average", Decimal("2.37"), Decimal("2.5"), True),
    ]


@pytest.mark.parametrize(
    ("columns", "values", "bookmaker", "line", "closing"),
    [
        ("AHh,B365AHH,B365AHA", "-1,2.05,1.88", "Bet365", "-1", False),
        ("AHh,AHCh,PCAHH,PCAHA", "-1,-0.75,1.83,2.11", "Pinnacle", "-0.75", True),
        ("BbAHh,BbAvAHH,BbAvAHA", "0.25,2.05,1.88", "market average", "0.25", False),
        ("GBAHH,GBAHA,GBAH", "1.7,2.05,-0.25", "Gamebookers", "-0.25", False),
    ],
)
def test_a_handicap_is_found_where_its_season_keeps_it(columns, values, bookmaker, line, closing):
    got, faults = offered(columns, values)
    assert faults == []
    assert [(row[1], row[2], row[4], row[5]) for row in got] == [
        ("home", bookmaker, Decimal(line), closing),
        ("away", bookmaker, Decimal(line), closing),
    ]


@pytest.mark.parametrize(
    ("columns", "values", "reasons"),
    [
        (
            "B365AHH,B365AHA",
            "2.05,1.88",
            ["B365AHH: a handicap price without a handicap", "B365AHA: a handicap price without a handicap"],
        ),
        ("AHh,B365AHH", "-0.4,2.05", ["B365AHH: the handicap is not in quarters"]),
        ("B365H", "one", ["B365H: odds is not a number inside a text"]),
        ("B365H,B365D,B365A", "0,0,0", ["odds that are not above 1 and at most 1001"]),
        ("B365H,B365D,B365A", "160,420,525", ["overround outside 0.98 to 1.40"]),
    ],
)
def test_odds_that_cannot_be_believed_are_named(columns, values, reasons):
    assert offered(columns, values) == ([], reasons)


def test_statistics_are_no_odds():
    header = [
        "HS",
        "AS",
        "HST",
        "AST",
        "HF",
        "AF",
        "HC",
        "AC",
        "HY",
        "AY",
        "HR",
        "AR",
        "FTR",
        "Bb1X2",
        "BbOU",
        "BbAH",
        "BbAHh",
        "AHh",
    ]
    assert price_columns(header) == ()


@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"<html><body>404</body></html>", b"a,b,c\r\n1,2,3\r\n", b'Date,"x\r\n', b"\x00\xff\xfe"]
)
def test_what_is_no_season_file_is_not_believed(body):
    with pytest.raises(BadAnswer):
        feed.read_results(body, KEY)


def test_a_file_of_too_many_rows_is_not_believed():
    with pytest.raises(BadAnswer, match="more than 5000 rows"):
        feed.read_results(file(*[ROW] * 5_001), KEY)


def test_no_more_faults_are_kept_than_the_quarantine_takes():
    rows = [f"E0,16/08/2024,A{n},B,1,0,H,x,x,x" for n in range(300)]
    gathered = feed.read_odds(file(*rows, header=ODDS + "B365H,B365D,B365A"), KEY, NOW)
    assert (len(gathered.rejected), gathered.records) == (500, ())


@given(st.binary(max_size=300))
def test_whatever_the_bytes_nothing_else_is_raised(body):
    for start in (b"", b"Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR,B365H,AHh,B365AHH\r\n"):
        with suppress(BadAnswer):
            feed.read_odds(start + body, KEY, NOW)
            feed.read_results(start + body, KEY)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=8, max_size=12))
def test_whatever_stands_in_a_row_only_named_faults_come_out(cells):
    row = ",".join(cell.replace(",", "").replace('"', "").replace("\n", "").replace("\r", "") for cell in cells)
    gathered = feed.read_odds(file(row, header=ODDS + "B365H,B365D,B365A,AHh,B365AHH"), KEY, NOW)
    assert all(fault.reason for fault in gathered.rejected)


class Recorder:
    """A caller that gives one body and keeps the paths."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked: list[Any] = []

    async def get(self, path, params=(), headers=()):
        self.asked.append(path)
        return Reply(body=self.body, received_at=NOW)

    async def post(self, path, body, *, repeatable=True):
        raise AssertionError("football-data is never posted to")


def test_each_season_is_one_file():
    caller = Recorder(file(ROW))
    assert len(asyncio.run(feed.match_results(caller, ("2425/E0", "2324/SP1"))).records) == 2
    assert caller.asked == ["/mmz4281/2425/E0.csv", "/mmz4281/2324/SP1.csv"]
    assert asyncio.run(feed.odds(Recorder(file(ROW)), (KEY,))).records == ()
    assert asyncio.run(VENDOR.check(Recorder(file(ROW)))).is_good


@pytest.mark.parametrize("key", ["E0", "2425/../x", "2425/E0.csv", "../etc/passwd", "2425/E0/x"])
def test_a_key_that_names_no_season_is_refused_before_anything_is_asked(key):
    caller = Recorder(file(ROW))
    with pytest.raises(NotAtVendor):
        asyncio.run(feed.odds(caller, (key,)))
    assert caller.asked == []
