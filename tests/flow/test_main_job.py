"""The main job on real input: the recorded world is fetched, stored, forecast, traded, settled and booked; also under kills.

The whole recording (18 markets) is played by `.ci/run` without kills. Here its first markets are, to keep the suite short;
the whole of it with FLOW_MARKETS=18 FLOW_SPEED=120.
"""

from __future__ import annotations

import os

import pytest

from tests.flow.desk_under_test import DeskUnderTest, running_desk
from tests.flow.independent_books import compare

MARKETS = int(os.environ.get("FLOW_MARKETS", "4"))
SPEED = int(os.environ.get("FLOW_SPEED", "60"))  # a market is then listed for thirty seconds, and a killed worker is back in five
FETCHES = "SELECT count(*) FROM sources_fetchlog"
CHECKS = ("books_balanced", "audit_verified", "backup_verified")

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600), pytest.mark.xdist_group("flow")]


def wait_for_life(desk: DeskUnderTest) -> None:
    """Wait until something is fetched again."""
    fetched = desk.count(FETCHES)
    desk.wait_for("life to go on", lambda: desk.count(FETCHES) > fetched)


def test_every_market_is_settled_once_although_worker_beat_and_web_are_killed(tmp_path):
    folder = tmp_path / "desk"
    with running_desk(folder, "--exit-when-settled", "--json", "--speed", str(SPEED), "--markets", str(MARKETS)) as desk:
        desk.wait_for("the first order", lambda: desk.count("SELECT count(*) FROM trading_order"), timeout_s=150)
        for name in ("worker_money", "beat", "web", "worker_fetch", "worker_forecast"):
            desk.kill(name)
            wait_for_life(desk)
        code, report = desk.finish()
        with desk.database() as address:
            findings = compare(address, markets=MARKETS)
    assert len(desk.kills) == 5
    assert findings["problems"] == []
    assert findings["markets"] == MARKETS
    assert {name: report[name] for name in CHECKS} == dict.fromkeys(CHECKS, True)
    assert report["dead_letters"] == 0
    assert report["markets_settled"] == MARKETS
    assert report["fills"] == MARKETS
    assert code == 0, report
