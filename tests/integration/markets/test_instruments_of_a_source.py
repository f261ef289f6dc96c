"""One source's instruments one after the other: a failure costs its own bars only, and two workers never do it at once."""

from __future__ import annotations

import pytest

from apps.core.sections import only_one_asking
from apps.markets import services
from apps.markets.services import candles
from apps.markets.types import CandleCounts
from apps.sources.errors import VendorAway
from tests.integration.markets.making import NOW

pytestmark = pytest.mark.django_db(transaction=True)
SYMBOLS = ("^GSPC", "^IXIC", "CL=F")


@pytest.fixture
def asked(monkeypatch):
    """Each instrument's refresh is noted; the second one's vendor is away."""
    seen: list[str] = []

    def refresh(*, source, symbol, now, by):
        seen.append(symbol)
        if symbol == "^IXIC":
            raise VendorAway("yahoo is away")
        return CandleCounts(seen=2, created=1)

    monkeypatch.setattr(candles, "refresh_candles", refresh)
    return seen


def test_one_that_fails_does_not_stop_the_others_and_is_told(asked):
    with pytest.raises(VendorAway, match="yahoo is away"):
        services.refresh_instruments(source="yahoo", symbols=SYMBOLS, now=NOW, by="test")
    assert asked == list(SYMBOLS)


def test_counts_are_added_up(asked):
    counts = services.refresh_instruments(source="yahoo", symbols=("^GSPC", "CL=F"), now=NOW, by="test")
    assert counts == CandleCounts(seen=4, created=2)


def test_nothing_is_asked_while_another_process_is_at_this_source(asked, other_session):
    with other_session("markets.instruments.yahoo"):
        assert services.refresh_instruments(source="yahoo", symbols=SYMBOLS, now=NOW, by="test") == CandleCounts()
        services.refresh_instruments(source="binance", symbols=("BTC",), now=NOW, by="test")
    assert asked == ["BTC"]


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
