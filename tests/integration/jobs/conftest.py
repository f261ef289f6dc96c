"""Bells that are noted instead of sent."""

from __future__ import annotations

import pytest

from apps.core.bell import Bell
from tests.integration.jobs import jobs_world


@pytest.fixture
def bells(monkeypatch) -> list[Bell]:
    """Give the list of the bells that are rung; the tests' batch task is known to be one."""
    jobs_world.batch_tasks_are_known(monkeypatch)
    return jobs_world.bells_are_noted(monkeypatch)
