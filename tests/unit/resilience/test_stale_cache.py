"""The stale cache on a clock that jumps: what is served, how it is graded, and how often the loader is called."""

from __future__ import annotations

import asyncio

import pytest

from apps.resilience import (
    CacheRefreshed,
    CacheRule,
    CacheServed,
    Event,
    Grade,
    HttpStatus,
    Loaded,
    MemoryCache,
    NotModified,
    StaleCache,
    TimedOut,
)
from apps.resilience.errors import BadBody
from apps.resilience.testing import FakeClock

HOUR_S = 3_600
RULE = CacheRule(fresh_s=60)


class Vendor:
    """A loader that gives numbered values, or the error it is told to give; it keeps what it was asked with."""

    def __init__(self):
        self.calls = 0
        self.previous = []
        self.error = None
        self.gives = None

    async def __call__(self, previous):
        self.calls += 1
        self.previous.append(previous)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.gives or Loaded(f"value {self.calls}".encode(), {"etag": str(self.calls)})


class Desk:
    """A cache with its clock, its vendor and the news it told."""

    def __init__(self, rule=RULE, *, draw=lambda: 0.0, failures=()):
        self.clock = FakeClock()
        self.vendor = Vendor()
        self.news: list[Event] = []
        self.store = MemoryCache(clock=self.clock)
        self.cache = StaleCache(
            store=self.store,
            clock=self.clock,
            hooks=[self.news.append],
            draw=draw,
            default_rule=rule,
            failures=failures,
        )

    async def fetch(self, key="price:btc", **how):
        return await self.cache.fetch(key, self.vendor, **how)

    async def settle(self):
        """Let what runs behind come to its end."""
        for _ in range(20):
            await asyncio.sleep(0)

    def counts(self, kind="price"):
        return self.cache.statistics()[kind]


def test_a_fresh_value_is_served_without_a_call():
    async def scene():
        desk = Desk()
        first = await desk.fetch()
        desk.clock.advance(59)
        second = await desk.fetch()
        return desk, first, second

    desk, first, second = asyncio.run(scene())
    assert (first.value, first.age_s, first.grade) == (b"value 1", 0.0, Grade.FRESH)
    assert (second.value, second.age_s, second.grade, second.reason) == (b"value 1", 59.0, Grade.FRESH, "")
    assert desk.vendor.calls == 1
    assert (desk.counts().hits, desk.counts().misses, desk.counts().hit_rate) == (1, 1, 0.5)


def test_an_old_value_is_loaded_anew():
    async def scene():
        desk = Desk()
        await desk.fetch()
        desk.clock.advance(60)
        return desk, await desk.fetch()

    desk, second = asyncio.run(scene())
    assert (second.value, desk.vendor.calls) == (b"value 2", 2)


@pytest.mark.parametrize(
    ("age_s", "grade"),
    [(61, Grade.AGED), (24 * HOUR_S - 60, Grade.AGED), (24 * HOUR_S + 60, Grade.STALE), (6 * 24 * HOUR_S, Grade.STALE)],
)
def test_when_the_vendor_is_away_the_old_value_is_served_with_its_grade_and_the_reason(age_s, grade):
    async def scene():
        desk = Desk()
        await desk.fetch()
        desk.clock.advance(age_s)
        desk.vendor.error = TimedOut("no answer in 5 s")
        return desk, await desk.fetch()

    desk, served = asyncio.run(scene())
    assert (served.value, served.grade, served.is_stale) == (b"value 1", grade, grade is Grade.STALE)
    assert (served.age_s, served.reason) == (age_s, "timed-out: no answer in 5 s")
    assert desk.vendor.calls == 2
    assert (desk.counts().aged_served, desk.counts().stale_served, desk.counts().errors) == (
        grade is Grade.AGED,
        grade is Grade.STALE,
        1,
    )


def test_after_seven_days_there_is_nothing_but_the_error():
    async def scene():
        desk = Desk()
        await desk.fetch()
        desk.clock.advance(7 * 24 * HOUR_S)
        desk.vendor.error = TimedOut()
        with pytest.raises(TimedOut):
            await desk.fetch()
        return desk, await desk.cache.peek("price:btc")

    desk, kept = asyncio.run(scene())
    assert kept is None
    assert desk.vendor.calls == 2


def test_force_loads_past_a_fresh_value_and_falls_back_to_it():
    async def scene():
        desk = Desk()
        await desk.fetch()
        forced = await desk.fetch(force=True)
        desk.vendor.error = HttpStatus(503)
        fallen = await desk.fetch(force=True)
        return desk, forced, fallen

    desk, forced, fallen = asyncio.run(scene())
    assert forced.value == b"value 2"
    assert (fallen.value, fallen.grade, fallen.reason) == (b"value 2", Grade.FRESH, "http-status: HTTP status 503")
    assert desk.vendor.calls == 3


def test_a_lasting_failure_is_remembered_for_its_time_and_raised_again_without_a_call():
    async def scene():
        desk = Desk()
        desk.vendor.error = HttpStatus(404)
        for _ in range(5):
            with pytest.raises(HttpStatus) as caught:
                await desk.fetch()
            assert caught.value.status == 404
        calls = desk.vendor.calls
        desk.clock.advance(30)
        desk.vendor.error = None
        return desk, calls, await desk.fetch()

    desk, calls, served = asyncio.run(scene())
    assert (calls, desk.vendor.calls, served.value) == (1, 2, b"value 2")
    assert (desk.counts().negative_hits, desk.counts().errors) == (4, 1)


def test_a_passing_failure_is_not_remembered_when_there_is_nothing_to_serve():
    async def scene():
        desk = Desk()
        desk.vendor.error = TimedOut()
        for _ in range(3):
            with pytest.raises(TimedOut):
                await desk.fetch()
        return desk

    assert asyncio.run(scene()).vendor.calls == 3


def test_in_an_outage_only_the_first_reader_waits_and_one_attempt_a_pause_is_made():
    async def scene():
        desk = Desk()
        await desk.fetch()
        desk.clock.advance(HOUR_S)
        desk.vendor.error = TimedOut()
        served = []
        for _ in range(100):
            served.append(await desk.fetch())
            await desk.settle()
            desk.clock.advance(0.1)
        return desk, served

    desk, served = asyncio.run(scene())
    assert {(one.value, one.grade) for one in served} == {(b"value 1", Grade.AGED)}
    assert desk.vendor.calls == 1 + 5  # in ten seconds, one each two
    assert (desk.counts().misses, desk.counts().behind_refreshes, desk.counts().hits) == (2, 4, 99)


def test_when_the_vendor_is_back_the_reason_is_gone():
    async def scene():
        desk = Desk()
        await desk.fetch()
        desk.clock.advance(HOUR_S)
        desk.vendor.error = TimedOut()
        await desk.fetch()
        desk.vendor.error = None
        desk.clock.advance(2)
        behind = await desk.fetch()
        await desk.settle()
        return behind, await desk.fetch()

    behind, fresh = asyncio.run(scene())
    assert (behind.value, behind.grade) == (b"value 1", Grade.AGED)
    assert (fresh.value, fresh.grade, fresh.reason) == (b"value 3", Grade.FRESH, "")


def test_in_the_window_the_old_value_is_served_at_once_and_one_refresh_runs_behind():
    async def scene():
        desk = Desk(CacheRule(fresh_s=60, revalidate_s=30))
        await desk.fetch()
        desk.clock.advance(75)
        served = [await desk.fetch() for _ in range(10)]
        await desk.settle()
        return desk, served, await desk.fetch()

    desk, served, after = asyncio.run(scene())
    assert {(one.value, one.grade, one.age_s) for one in served} == {(b"value 1", Grade.FRESH, 75.0)}
    assert (after.value, desk.vendor.calls, desk.counts().behind_refreshes) == (b"value 2", 2, 1)


def test_a_hot_value_is_refreshed_early_and_behind():
    async def scene():
        desk = Desk(draw=lambda: 0.99)

        async def slow(previous):
            desk.clock.advance(2)
            return await desk.vendor(previous)

        served = [await desk.cache.fetch("price:btc", slow)]
        for wait_s in (50, 1, 0):  # the paper's formula: 2 s × -ln(0.01) = 9.2 s before the end
            desk.clock.advance(wait_s)
            served.append(await desk.cache.fetch("price:btc", slow))
            await desk.settle()
        return desk, served

    desk, served = asyncio.run(scene())
    assert [one.value for one in served] == [b"value 1", b"value 1", b"value 1", b"value 2"]
    assert [one.age_s for one in served] == [0, 50, 51, 0]
    assert (desk.vendor.calls, desk.counts().early_refreshes, desk.counts().misses) == (2, 1, 1)


def test_the_loader_is_given_what_is_kept_and_may_say_that_it_still_holds():
    async def scene():
        desk = Desk()
        await desk.fetch()
        desk.clock.advance(100)
        desk.vendor.gives = NotModified({"seen": "again"})
        return desk, await desk.fetch(), await desk.cache.peek("price:btc")

    desk, served, kept = asyncio.run(scene())
    assert desk.vendor.previous[0] is None
    assert (desk.vendor.previous[1].value, desk.vendor.previous[1].meta, desk.vendor.previous[1].age_s) == (
        b"value 1",
        {"etag": "1"},
        100.0,
    )
    assert served == kept
    assert (served.value, served.age_s, served.grade) == (b"value 1", 0.0, Grade.FRESH)
    assert served.meta == {"etag": "1", "seen": "again"}


def test_nothing_changed_since_nothing_is_a_bad_answer():
    async def scene():
        desk = Desk()
        desk.vendor.gives = NotModified()
        with pytest.raises(BadBody):
            await desk.fetch()
        return await desk.cache.peek("price:btc")

    assert asyncio.run(scene()) is None


def test_each_kind_has_its_own_rule_and_a_call_may_bring_another():
    async def scene():
        desk = Desk()
        desk.cache = StaleCache(store=desk.store, clock=desk.clock, rules={"screen": CacheRule(fresh_s=5)}, default_rule=RULE)
        for key in ("screen:crypto", "price:btc"):
            await desk.fetch(key)
        desk.clock.advance(10)
        return [
            (await desk.fetch(key, **how)).value
            for key, how in (("price:btc", {}), ("screen:crypto", {}), ("price:btc", {"rule": CacheRule(fresh_s=9)}))
        ]

    assert asyncio.run(scene()) == [b"value 2", b"value 3", b"value 4"]


def test_a_bug_of_a_loader_passes_through_and_is_not_hidden_by_an_old_value():
    async def scene():
        desk = Desk()
        await desk.fetch()
        desk.clock.advance(100)
        desk.vendor.error = ZeroDivisionError("a bug")
        with pytest.raises(ZeroDivisionError):
            await desk.fetch()
        return await desk.cache.peek("price:btc")

    assert asyncio.run(scene()).value == b"value 1"


def test_a_bug_behind_the_readers_is_logged(caplog):
    async def scene():
        desk = Desk(CacheRule(fresh_s=60, revalidate_s=30))
        await desk.fetch()
        desk.clock.advance(75)
        desk.vendor.error = ZeroDivisionError("a bug")
        await desk.fetch()
        await desk.settle()

    asyncio.run(scene())
    assert [record.message for record in caplog.records] == ["the loader of price:btc broke behind its readers"]


def test_errors_that_the_owner_names_count_as_failures_of_the_vendor():
    class VendorAway(Exception):
        code = "vendor-away"

    async def scene():
        desk = Desk(failures=(VendorAway,))
        await desk.fetch()
        desk.clock.advance(100)
        desk.vendor.error = VendorAway("gone")
        return await desk.fetch()

    served = asyncio.run(scene())
    assert (served.value, served.grade, served.reason) == (b"value 1", Grade.AGED, "vendor-away: gone")


def test_a_value_that_was_put_is_served_and_one_that_was_forgotten_is_not():
    async def scene():
        desk = Desk()
        await desk.cache.put("price:btc", Loaded(b"put", {"by": "hand"}))
        put = await desk.fetch()
        await desk.cache.forget("price:btc")
        return put, await desk.cache.peek("price:btc"), await desk.fetch()

    put, gone, loaded = asyncio.run(scene())
    assert (put.value, put.meta) == (b"put", {"by": "hand"})
    assert gone is None
    assert loaded.value == b"value 1"


def test_a_value_from_far_in_the_future_is_not_believed():
    async def scene():
        desk = Desk()
        ahead = FakeClock(desk.clock.now_s() + HOUR_S)
        await StaleCache(store=desk.store, clock=ahead).put("price:btc", Loaded(b"from tomorrow"))
        return await desk.fetch()

    assert asyncio.run(scene()).value == b"value 1"


def test_two_hundred_callers_cause_one_load_and_share_its_error():
    async def scene(error):
        desk = Desk()
        desk.vendor.error = error
        outcomes = await asyncio.gather(*(desk.fetch() for _ in range(200)), return_exceptions=True)
        return desk, outcomes

    desk, outcomes = asyncio.run(scene(None))
    assert (desk.vendor.calls, {one.value for one in outcomes}) == (1, {b"value 1"})
    desk, outcomes = asyncio.run(scene(TimedOut()))
    assert (desk.vendor.calls, {type(one) for one in outcomes}) == (1, {TimedOut})


def test_the_news_say_what_was_served_and_what_was_loaded():
    async def scene():
        desk = Desk()
        await desk.fetch()
        await desk.fetch()
        desk.clock.advance(100)
        desk.vendor.error = TimedOut()
        await desk.fetch()
        return desk.news

    news = asyncio.run(scene())
    assert [event.outcome for event in news if isinstance(event, CacheRefreshed)] == ["ok", "timed-out"]
    assert [(event.grade, event.is_hit) for event in news if isinstance(event, CacheServed)] == [
        (Grade.FRESH, False),
        (Grade.FRESH, True),
        (Grade.AGED, False),
    ]


def test_who_waits_too_long_for_the_load_of_another_process_is_served_what_is_kept():
    async def scene():
        desk = Desk()
        await desk.fetch()
        desk.clock.advance(100)
        await desk.store.leases.acquire("price:btc", owner="another process", lease_s=3_600)
        served = await desk.fetch()
        await desk.store.leases.acquire("price:eth", owner="another process", lease_s=3_600)
        with pytest.raises(TimedOut):
            await desk.fetch("price:eth")
        return desk, served

    desk, served = asyncio.run(scene())
    assert (served.value, served.grade, desk.vendor.calls) == (b"value 1", Grade.AGED, 1)
    assert served.reason.startswith("timed-out: another process")
