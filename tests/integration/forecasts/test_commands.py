"""The commands `forecast` and `score`, and the admin pages."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse

from apps.accounts.models import User
from apps.core import clock
from apps.forecasts.models import Forecast, Score
from tests.integration.forecasts.little_world import make_instrument, make_market, make_threshold, quote, resolve


@pytest.fixture
def live_market(monkeypatch):
    """Make a market that is open at the present moment of the clock."""
    now = clock.now()
    monkeypatch.setattr("tests.integration.forecasts.little_world.NOW", now)
    market = make_market(closes_at=now + timedelta(minutes=10))
    quote(market, at=now)
    return market


def run(capsys, *words):
    """Run a command and return its exit code, its last line of JSON if any, and what it wrote to stderr."""
    code = 0
    try:
        call_command(*words)
    except SystemExit as stop:
        code = int(stop.code or 0)
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out.startswith("{") else said.out, said.err


@pytest.mark.django_db
def test_forecast_makes_what_is_due(live_market, capsys):
    assert run(capsys, "forecast", "--json")[:2] == (0, {"forecasts": 1})
    assert run(capsys, "forecast", "--json")[:2] == (0, {"forecasts": 0})


@pytest.mark.django_db
def test_forecast_of_one_market_and_by_force(live_market, capsys):
    code, figures, _ = run(capsys, "forecast", "--market", live_market.id, "--json")
    assert (code, figures["forecasts"], figures["p_price"], figures["market_id"]) == (0, 1, "0.5100000000", live_market.id)
    assert run(capsys, "forecast", "--market", live_market.id, "--json")[1]["forecasts"] == 0
    assert run(capsys, "forecast", "--market", live_market.id, "--force", "--json")[1]["forecasts"] == 1
    assert Forecast.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["forecast", "--market", "mkt_unknown"], "mkt_unknown"),
        (["forecast", "--force"], "--force needs --market ID"),
        (["forecast", "--marked"], "unrecognized arguments"),
        (["score", "--by", "password"], "cannot group by password"),
        (["score", "--by", ","], "cannot group by nothing"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_2(words, line, capsys):
    code, out, err = run(capsys, *words)
    assert code == 2
    assert line in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


@pytest.mark.django_db
def test_score_judges_and_shows_the_groups(live_market, capsys):
    call_command("forecast")
    capsys.readouterr()
    assert run(capsys, "score", "--json")[1] == {"scored": 0, "scores": {}}
    resolve(live_market, 1, 0)
    code, figures, _ = run(capsys, "score", "--by", "source,category,horizon", "--json")
    assert (code, figures["scored"], list(figures["scores"])) == (0, 1, ["polymarket_gamma/crypto/5m-15m"])
    assert figures["scores"]["polymarket_gamma/crypto/5m-15m"]["n"] == 1


@pytest.mark.django_db
def test_the_admin_shows_everything_and_changes_nothing(live_market, client, capsys):
    make_threshold(make_instrument(until=clock.now()))
    call_command("forecast")
    resolve(live_market, 1, 0)
    call_command("score")
    client.force_login(User.objects.create_superuser("alice", "alice@example.test", "correct horse battery"))
    for name in ("forecast", "poolweights", "score", "judgement"):
        assert client.get(reverse(f"admin:forecasts_{name}_changelist")).status_code == 200
        assert client.get(reverse(f"admin:forecasts_{name}_add")).status_code == 403
    forecast = Forecast.objects.filter(score__isnull=False).get()
    assert client.get(reverse("admin:forecasts_forecast_change", args=[forecast.id])).status_code == 200
    assert client.post(reverse("admin:forecasts_score_delete", args=[forecast.id]), {"post": "yes"}).status_code == 403
    assert Score.objects.count() == 1
