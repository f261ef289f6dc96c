"""`manage.py screen`: the table, its exit codes, and wrong arguments."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.core.management import call_command

from apps.core.clock import monotonic_s
from apps.sources import http, services
from tests.integration.sources.exchanges import Exchanges
from tests.integration.sources.upstream import Answer

pytestmark = pytest.mark.django_db(transaction=True)
SLUGS = ("coincap", "binance", "coingecko")


@pytest.fixture
def exchanges(vendor, settings, clean_redis) -> Exchanges:
    http.shut_down()
    settings.VENDORS = {slug: {**given, "api_key": "a-key"} for slug, given in settings.VENDORS.items()}
    settings.SCREEN_CRYPTO, settings.SCREEN_STOCKS = ("BTC", "ETH", "SOL"), ("AAPL", "MSFT", "NVDA")
    return Exchanges(vendor)


def run(capsys, *words):
    """Return the exit code, what went to stdout and what to stderr."""
    code: object = 0
    try:
        call_command("screen", *words)
    except SystemExit as leaving:
        code = leaving.code
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_good_screen_is_a_ranked_table_with_its_sources(exchanges, capsys):
    exchanges.lacks["coincap"] = {"ETH"}
    code, out, err = run(capsys, "crypto")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].split()[:6] == ["#", "symbol", "name", "price", "currency", "24"]
    assert [line.split()[:2] for line in lines[1:4]] == [["1", "ETH"], ["2", "BTC"], ["3", "SOL"]]  # 2.5 % before 1.6 %
    assert "50,000.00" in lines[2]
    assert "binance" in lines[1]
    assert "coincap" in lines[2]
    assert lines[4].startswith("3 prices, asked for 0 s ago")
    assert lines[5:] == [
        "coincap: answered, 2 prices",
        "binance: answered, 1 prices",
        "coingecko: not asked (the others had all of it)",
    ]


def test_a_second_run_comes_from_the_cache_in_no_time_and_a_forced_one_does_not(exchanges, capsys):
    run(capsys, "stocks")
    asked = len(exchanges.upstream.questions)
    started_s = monotonic_s()
    code, out, _ = run(capsys, "stocks", "--json")
    assert monotonic_s() - started_s < 10.0
    figures = json.loads(out)
    assert (code, figures["from_cache"], figures["lines"], figures["missing"]) == (0, True, 3, [])
    assert len(exchanges.upstream.questions) == asked == 3
    _, out, _ = run(capsys, "stocks", "--json", "--force-refresh")
    assert json.loads(out)["from_cache"] is False
    assert len(exchanges.upstream.questions) == 6


def test_lines_are_cut_and_sorted_as_asked(exchanges, capsys):
    code, out, _ = run(capsys, "crypto", "--sort", "price", "--limit", "2", "--json")
    figures = json.loads(out)
    assert code == 0
    assert [(row["rank"], row["symbol"]) for row in figures["rows"]] == [(1, "BTC"), (2, "ETH")]
    assert figures["lines"] == 3
    row = figures["rows"][0]
    assert (row["source"], row["grade"], row["currency"], row["price"]) == ("coincap", "fresh", "USD", "50000")


def test_missing_or_old_prices_leave_with_one(exchanges, capsys):
    for slug in SLUGS:
        exchanges.lacks[slug] = {"SOL"}
    code, out, _ = run(capsys, "crypto")
    assert code == 1
    assert "missing: SOL" in out
    for slug in SLUGS:
        exchanges.moods[slug] = Answer(b"<html>", 200)
    code, out, _ = run(capsys, "crypto", "--force-refresh")
    assert code == 1
    assert "not renewed: all-sources-failed: coincap: BadAnswer: the body is HTML" in out
    assert "50,000.00" in out


def test_when_nobody_answered_one_line_names_everybody_and_the_code_is_two(exchanges, capsys):
    for slug in SLUGS:
        exchanges.moods[slug] = Answer(b"<html>", 200)
    services.ensure_sources(by="test", now=datetime.now(tz=UTC))
    services.pause(source="binance", reason="a rest", by="test", now=datetime.now(tz=UTC))
    code, out, err = run(capsys, "crypto")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "binance: paused: a rest" in err
    assert "coingecko: the body is HTML" in err


@pytest.mark.parametrize(
    "words",
    [(), ("bonds",), ("crypto", "--limit", "0"), ("crypto", "--limit", "x"), ("crypto", "--sort", "luck"), ("crypto", "stocks")],
)
def test_wrong_arguments_are_one_line_and_two(exchanges, capsys, words):
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert exchanges.upstream.questions == []


def test_a_terminal_sees_who_is_asked(exchanges, capsys, monkeypatch):
    told = []
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(
        "rich.progress.Progress.update", lambda self, task, **news: told.append((news["note"], news["completed"]))
    )
    code, _, _ = run(capsys, "crypto")
    assert (code, told) == (0, [("asking CoinCap", 0), ("asking CoinCap", 3)])
