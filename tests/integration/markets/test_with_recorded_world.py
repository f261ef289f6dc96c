"""The store on the recorded world, over real HTTP and in real time: every tick as the schedule rings it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from apps.core import clock
from apps.markets import services
from apps.markets.models import Market, Outcome, Quote, Result
from apps.sources import http
from tests.integration.markets.making import BY, CLOB, GAMMA, result_of

SPEED = 1200
BAR_EVERY_S = 1800  # recorded seconds: one bar every 1.5 s
MARKETS = 6
DEADLINE_S = 60
PATHS = {GAMMA: "gamma", CLOB: "clob", "yahoo": "yahoo"}


@dataclass
class Playing:
    """A world that plays in a process of its own."""

    url: str

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_world/status", timeout=5) as answer:
            status: dict[str, Any] = json.load(answer)
        return status


@pytest.fixture
def world(settings, tmp_path: Path, clean_redis: str, transactional_db: None) -> Iterator[Playing]:
    ready = tmp_path / "ready.json"
    options = [
        "--speed",
        str(SPEED),
        "--bar-every",
        str(BAR_EVERY_S),
        "--ready-file",
        str(ready),
        "--wait",
        "--markets",
        str(MARKETS),
    ]
    process = subprocess.Popen([sys.executable, "-m", "apps.sources.world", *options], cwd=django_settings.BASE_DIR)
    try:
        url = _address_in(ready)
        settings.VENDORS = {
            slug: {"base_url": f"{url}/{path}", "api_key": "", "rate_per_minute": 100_000} for slug, path in PATHS.items()
        }
        settings.SCHEDULE_SPEED = float(SPEED)
        yield Playing(url)
    finally:
        http.shut_down()
        process.terminate()
        process.wait(timeout=10)
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE markets_quote")


def _address_in(ready: Path) -> str:
    for _ in range(200):
        if ready.exists():
            return str(json.loads(ready.read_text())["url"]).rstrip("/")
        time.sleep(0.05)
    pytest.fail("the recorded world did not start within 10 s")


def tick() -> None:
    """Do once what the schedule rings again and again."""
    services.refresh_catalogue(source=GAMMA, now=clock.now(), by=BY)
    services.refresh_books(source=CLOB, now=clock.now(), by=BY)
    services.refresh_candles(source="yahoo", symbol="^GSPC", now=clock.now(), by=BY)
    services.roll_markets(now=clock.now(), by=BY)
    services.resolve_rolled(now=clock.now(), by=BY)


def test_every_recorded_market_is_seen_quoted_and_resolved_as_it_really_was(world):
    services.ensure_partitions(now=clock.now(), by=BY)
    end = clock.monotonic_s() + DEADLINE_S
    while not world.status()["finished"] and clock.monotonic_s() < end:
        tick()
    tick()
    truth = {market["condition_id"]: market for market in world.status()["markets"]}
    assert len(truth) == MARKETS
    recorded = Market.objects.filter(source=GAMMA)
    assert set(recorded.values_list("source_key", flat=True)) == set(truth)
    assert set(recorded.values_list("state", flat=True)) == {"resolved"}
    for market in recorded:
        assert _payouts(market) == {label: Decimal(payout) for label, payout in truth[market.source_key]["payouts"].items()}
        resolved_at = datetime.fromisoformat(truth[market.source_key]["resolves_at"].replace("Z", "+00:00")).astimezone(UTC)
        assert Result.objects.get(market=market).observed_at >= resolved_at
    quoted = set(Quote.objects.values_list("outcome_id", flat=True))
    assert quoted == set(Outcome.objects.filter(market__source=GAMMA).values_list("id", flat=True))
    rolled = Market.objects.filter(source="desk")
    assert rolled.filter(state="resolved").count() >= 4
    assert rolled.filter(state="resolved").exclude(results__isnull=False).count() == 0


def _payouts(market: Market) -> dict[str, Decimal]:
    result = result_of(market.id)
    labels = dict(market.outcomes.values_list("id", "label"))
    return {labels[outcome_id]: payout for outcome_id, payout in result.payouts.items()}
