"""A desk with a market, and the promise that its books are right when the test is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.ledger import selectors as ledger
from tests.integration.trading.desk import Desk, open_desk


@pytest.fixture
def desk(settings, _django_db_helper) -> Iterator[Desk]:
    """Open a desk in the database that the test's mark asks for; afterwards the books are verified."""
    settings.SCHEDULE_SPEED = 1.0
    settings.PAPER_LATENCY_MS = 250
    yield open_desk()
    report = ledger.verify_books()
    assert report.is_balanced, report.differences
