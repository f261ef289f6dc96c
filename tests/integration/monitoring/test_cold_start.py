"""The first health answer and the first figures of a new web process: what it must import does not count as an answer too late."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.addresses import database_address

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_redis")]


def first_answer(path: str) -> dict[str, Any]:
    """Return what a new process tells of the first page it is asked for."""
    asked = subprocess.run(
        [sys.executable, "-m", "tests.integration.monitoring.cold_page", path],
        env={
            **os.environ,
            "DATABASE_URL": database_address(),
            "PROCESS_TYPE": "web",
            "DJANGO_SETTINGS_MODULE": "project.settings",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, Any] = json.loads(asked.stdout.splitlines()[-1])
    return found


def test_the_first_health_answer_of_a_process_imports_nothing_of_ours_under_its_deadline():
    found = first_answer("/health/detailed")
    checks = json.loads(found["said"])["checks"]
    assert found["questions"] == len(checks) == 10
    assert checks["schedules"]["status"] == "healthy"
    assert found["imported"] == []


def test_the_first_figures_of_a_process_import_nothing_of_ours_under_their_deadline():
    found = first_answer("/metrics")
    assert found["status"] == "200 OK"
    assert found["questions"] >= 9
    assert found["imported"] == []
