"""Every fault of the recorded world through the real adapters and services: nothing bad is stored, everything is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import pytest
from django.conf import settings
from django.db import connection

from apps.markets import selectors as market_views
from apps.sources import selectors as source_views
from apps.sources.models import Quarantine
from apps.sources.world.recording import load_recording
from tests.addresses import database_address
from tests.chaos.fault_cases import SOURCES, Leaves, cases, recorded_cases

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("fault_runner.py")
GROWTH_MB_MAX = 50
PEAK_MB_MAX = 64  # a body at its cap of 16 MiB exists twice while it is unpacked, and the allocator rounds up
pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True), pytest.mark.timeout(280)]
TRUE = {source: json.dumps({"name": f"{source}: the truth", "source": source, "faults": []}) for source in SOURCES}


class BadDays:
    """The world and the desk under test, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.world, self.url = start_world(folder)
        self.complaints = folder / "desk.err"
        with self.complaints.open("w") as complaints:
            self.desk = start_desk(self.url, complaints)

    def live(self, line: str) -> dict[str, Any]:
        """Let the desk live through one case and return what came of it."""
        assert self.desk.stdin is not None
        assert self.desk.stdout is not None
        self.desk.stdin.write(line + "\n")
        self.desk.stdin.flush()
        told = self.desk.stdout.readline()
        assert told, self.complaints.read_text()
        lived: dict[str, Any] = json.loads(told)
        return lived

    def end(self) -> None:
        for process in (self.desk, self.world):
            process.terminate()
            process.communicate(timeout=20)


def start_world(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a world that stands where the first market is traded, at the pace of life."""
    place = {
        "anchor_real": time.time(),
        "position": load_recording().markets[0].starts_ms,
        "speed": 1.0,
        "saved_real": time.time(),
    }
    (folder / "world.json").write_text(json.dumps(place))
    ready = folder / "ready.json"
    files = ["--state", str(folder / "world.json"), "--ready-file", str(ready)]
    command = [sys.executable, "-m", "apps.sources.world", "--port", "0", "--speed", "1", *files]
    world = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not ready.exists():
        assert world.poll() is None, world.communicate()
        assert time.monotonic() < deadline, "the world does not listen"
        time.sleep(0.05)
    return world, json.loads(ready.read_text())["url"]


def start_desk(world_url: str, complaints: IO[str]) -> subprocess.Popen[str]:
    """Start the desk on the database of this test and the world as every vendor."""
    variables = {"DATABASE_URL": database_address()}
    for source, window in SOURCES.items():
        variables[f"{source.upper()}_BASE_URL"] = f"{world_url}/{window}"
        variables[f"{source.upper()}_RATE_PER_MINUTE"] = "6000"
    environment = os.environ | variables | {"DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE, "SOURCES_ON": ""}
    return subprocess.Popen(
        [sys.executable, str(RUNNER), world_url],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
    )


@pytest.fixture
def days(tmp_path: Path, clean_redis: str) -> Iterator[BadDays]:
    started = BadDays(tmp_path)
    yield started
    started.end()


WRITTEN_OF_A_BODY = {"bad-answer", "body-too-large", "redirect-refused", "bad-body"}
WRITTEN_OF_A_CALL = {"http-status", "connection-failed", "timed-out"}


def of_a_quarantined_body(lived):
    return (
        lived["outcome"] == "bad-answer"
        and (lived["quarantined"], lived["seen"]) == (1, 1)
        and lived["log"]["outcome"] in WRITTEN_OF_A_BODY
    )


def of_a_counted_body(lived):
    return lived["outcome"] == "bad-answer" and lived["seen"] == 1 and lived["log"]["outcome"] in WRITTEN_OF_A_BODY


def of_quarantined_rows(lived):
    return lived["outcome"] in ("ok", "bad-answer") and lived["seen"] >= 1 and lived["log"]["rejected"] >= 1


def of_a_doubted_answer(lived):
    return lived["outcome"] == "ok" and lived["seen"] == 1 and "created=0, updated=0, unchanged=0, restated=0" in lived["message"]


def of_older_markets(lived):
    counts = {name: int(count) for name, _, count in (part.partition("=") for part in lived["message"][16:-1].split(", "))}
    older = counts.pop("older")
    return lived["outcome"] == "ok" and lived["seen"] == 0 and older == counts.pop("listed") > 0 and not any(counts.values())


def of_older_books(lived):
    return lived["outcome"] == "ok" and lived["seen"] == 0 and "stored=0, unchanged=0, older=2" in lived["message"]


def of_a_failed_call(lived):
    return (
        lived["outcome"] in ("vendor-away", "vendor-refused")
        and lived["seen"] == 0
        and lived["log"]["outcome"] in WRITTEN_OF_A_CALL
    )


LEFT: dict[Leaves, Callable[[dict[str, Any]], bool]] = {
    "a quarantined body": of_a_quarantined_body,
    "a counted body": of_a_counted_body,
    "quarantined rows": of_quarantined_rows,
    "a doubted answer": of_a_doubted_answer,
    "older books": of_older_books,
    "older markets": of_older_markets,
    "a failed call": of_a_failed_call,
}


def test_every_fault_costs_nothing_but_freshness(days):
    began = datetime.now(UTC)
    for line in TRUE.values():
        assert days.live(line)["outcome"] == "ok"
    prices = latest_prices()
    assert prices
    bad = [*cases(), *recorded_cases()]
    lived = [(case, days.live(case.line())) for case in bad]

    assert [(case.name, told["stored"]) for case, told in lived if told["stored"]] == []
    assert [(case.leaves, told) for case, told in lived if not LEFT[case.leaves](told)] == []
    assert [told for _, told in lived if told["fetches"] < 1] == []
    assert sum(case.leaves == "a quarantined body" for case, _ in lived) >= 40
    assert Quarantine.objects.count() >= 40
    assert not Quarantine.objects.filter(reason="").exists()
    memory_stays_small([told for _, told in lived])

    # The last good answer is still what is served, and it says how old it is and why.
    assert latest_prices() == prices
    for view in source_views.list_sources():
        if view.slug in SOURCES:
            assert view.last_error_at is not None
            assert view.last_error_at > began
            assert view.last_error

    # And when the bad days are over, all is well again.
    for source, line in TRUE.items():
        told = days.live(line)
        assert (source, told["outcome"], told["log"]["outcome"]) == (source, "ok", "ok")


def memory_stays_small(lived):
    """Check what the process has grown by in the end, and what any one case took for a moment."""
    baseline_mb = lived[4]["rss_mb"]
    assert lived[-1]["rss_mb"] - baseline_mb <= GROWTH_MB_MAX
    peaks = {later["name"]: later["peak_mb"] - earlier["rss_mb"] for earlier, later in pairwise(lived[4:])}
    assert {name: peak_mb for name, peak_mb in peaks.items() if peak_mb > PEAK_MB_MAX} == {}


def latest_prices() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT outcome_id FROM markets_latestprice")
        outcome_ids = [outcome_id for (outcome_id,) in cursor.fetchall()]
    return market_views.latest_prices(outcome_ids)
