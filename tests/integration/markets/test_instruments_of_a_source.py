"""One source's instruments, each by itself: two workers never ask for the same one at once, and do not wait either."""

from __future__ import annotations

import pytest

from apps.core.sections import only_one_asking
from apps.markets import services
from apps.markets.types import CandleCounts
from apps.sources import services as sources
from apps.sources.errors import VendorAway
from tests.integration.markets.making import NOW

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch):
    """Every question for bars is noted, and not answered."""
    seen: list[str] = []

    def fetch_candles(*, symbol, **_):
        seen.append(symbol)
        raise VendorAway("yahoo is away")

    monkeypatch.setattr(sources, "fetch_candles", fetch_candles)
    return seen


def test_nothing_is_asked_while_another_process_is_at_this_instrument(asked, other_session):
    with other_session("markets.candles.yahoo.^GSPC"):
        assert services.refresh_candles(source="yahoo", symbol="^GSPC", now=NOW, by="test") == CandleCounts()
        assert asked == []
        for source, symbol in (("yahoo", "CL=F"), ("binance", "^GSPC")):
            with pytest.raises(VendorAway):
                services.refresh_candles(source=source, symbol=symbol, now=NOW, by="test")
    assert asked == ["CL=F", "^GSPC"]


@pytest.fixture
def other_session():
    """Hold a section in a database session of its own, as another process would."""
    from contextlib import contextmanager
    from threading import Event, Thread

    from django.db import connection

    @contextmanager
    def held(name):
        taken, done = Event(), Event()

        def hold():
            with only_one_asking(name):
                taken.set()
                done.wait(20)
            connection.close()

        thread = Thread(target=hold)
        thread.start()
        assert taken.wait(20)
        try:
            yield
        finally:
            done.set()
            thread.join()

    return held
