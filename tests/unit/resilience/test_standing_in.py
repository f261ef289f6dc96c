"""What was kept stands in for what could not be fetched."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from apps.resilience import ConnectionFailed, MemoryCache, StaleCache, StoreUnavailable, TimedOut
from apps.resilience import Loaded as KitLoaded
from apps.resilience.standing_in import stale_cache_fallback
from apps.resilience.testing import FakeClock


@dataclass(frozen=True)
class Loaded:
    value: bytes
    age_s: float = 0.0


class Shelf:
    """A cache of one shelf; `away` makes every verb fail."""

    def __init__(self, **kept: Loaded) -> None:
        self.kept = dict(kept)
        self.away = False

    async def peek(self, key):
        self._look()
        return self.kept.get(key)

    async def put(self, key, loaded):
        self._look()
        self.kept[key] = loaded

    def _look(self):
        if self.away:
            raise StoreUnavailable("gone")


def giving(answer, after_s: float = 0.0):
    async def fetch():
        await asyncio.sleep(after_s)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return fetch


def serve(fetch, shelf, **options):
    return asyncio.run(stale_cache_fallback(fetch, shelf, "btc", **options))


def test_a_fresh_value_is_served_and_kept():
    shelf = Shelf()
    events: list[Any] = []
    served = serve(giving(Loaded(b"1")), shelf, hooks=[events.append])
    assert (served.value, served.age_s, served.reason, served.is_stale) == (b"1", 0.0, "", False)
    assert shelf.kept == {"btc": Loaded(b"1")}
    assert events == []


@pytest.mark.parametrize("error", [ConnectionFailed("away"), ValueError("odd")])
def test_when_the_fetch_fails_what_was_kept_is_served_and_flagged(error):
    shelf = Shelf(btc=Loaded(b"old", age_s=90.0))
    events: list[Any] = []
    served = serve(giving(error), shelf, hooks=[events.append])
    assert (served.value, served.age_s, served.is_stale) == (b"old", 90.0, True)
    assert served.reason == f"{type(error).__name__}: {error}"
    assert [(event.key, event.age_s, event.reason) for event in events] == [("btc", 90.0, served.reason)]
    assert shelf.kept == {"btc": Loaded(b"old", age_s=90.0)}


def test_a_fetch_that_hangs_is_a_failure():
    served = serve(giving(Loaded(b"new"), after_s=60), Shelf(btc=Loaded(b"old", 1.0)), timeout_s=0.02)
    assert (served.value, served.reason) == (b"old", "TimedOut: no answer within 0.02 s")


def test_with_nothing_kept_the_fetchs_own_error_comes_out():
    with pytest.raises(ConnectionFailed, match="away"):
        serve(giving(ConnectionFailed("away")), Shelf())


def test_a_cache_that_is_away_neither_loses_the_fresh_value_nor_hides_the_error():
    shelf = Shelf()
    events: list[Any] = []
    shelf.away = True
    assert serve(giving(Loaded(b"1")), shelf, hooks=[events.append]).value == b"1"
    with pytest.raises(TimedOut):
        serve(giving(TimedOut("late")), shelf, hooks=[events.append])
    assert [(event.operation, event.kind) for event in events] == [("put", "connection"), ("peek", "connection")]


def test_the_kits_own_stale_cache_can_stand_in():
    clock = FakeClock()
    cache = StaleCache(store=MemoryCache(clock=clock), clock=clock)

    async def scene():
        fresh = await stale_cache_fallback(giving(KitLoaded(b"1")), cache, "price:btc")
        clock.advance(90)
        kept = await stale_cache_fallback(giving(ConnectionFailed("away")), cache, "price:btc")
        with pytest.raises(ConnectionFailed):
            await stale_cache_fallback(giving(ConnectionFailed("away")), cache, "price:eth")
        await cache.close()
        return fresh, kept

    fresh, kept = asyncio.run(scene())
    assert (fresh.value, fresh.is_stale) == (b"1", False)
    assert (kept.value, kept.age_s, kept.reason) == (b"1", 90.0, "ConnectionFailed: away")
