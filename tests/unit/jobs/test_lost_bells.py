"""Which bells look lost: by counting, never by guessing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from apps.jobs.lost_bells import (
    BELLS_A_TASK_MAX,
    PATIENCE,
    BatchWish,
    Waiting,
    Wish,
    may_be_overtaken,
    silent_batches,
    silent_singles,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LONG_AGO = NOW - PATIENCE


def waiting(**changes) -> Waiting:
    values = {"queue": "fetch", "task": "t", "source": "", "is_batch": False, "unrung": 0, "stale": 0, "latest_bell_at": LONG_AGO}
    return Waiting(**{**values, **changes})


def singles(*groups, rows_max=1000, depths=None, paced=None, overtaken=None):
    return silent_singles(groups, depths=depths or {}, paced=paced or {}, overtaken=overtaken or {}, rows_max=rows_max)


def test_jobs_that_have_as_many_messages_are_not_rung_for():
    assert singles(waiting(stale=10), depths={"fetch": 10}) == []


def test_what_outnumbers_the_messages_is_rung_for_again():
    assert singles(waiting(stale=10), depths={"fetch": 7}) == [Wish(queue="fetch", source=None, count=3)]
    assert singles(waiting(stale=10), depths={"money": 50}) == [Wish(queue="fetch", source=None, count=10)]


def test_what_was_never_rung_for_is_rung_for_whatever_the_queue_holds():
    assert singles(waiting(unrung=4, stale=10), depths={"fetch": 50}) == [Wish(queue="fetch", source=None, count=4)]


def test_messages_that_wait_for_their_source_count_for_its_jobs_alone():
    groups = (waiting(source="newsapi", stale=30), waiting(source="", stale=5))
    assert singles(*groups, paced={"newsapi": 30}) == [Wish(queue="fetch", source=None, count=5)]
    assert singles(*groups, paced={"newsapi": 20}, depths={"fetch": 4}) == [
        Wish(queue="fetch", source=None, count=1),
        Wish(queue="fetch", source="newsapi", count=6),
    ]


def test_a_paced_source_whose_messages_are_all_gone_is_rung_for_with_the_others():
    assert singles(waiting(source="newsapi", stale=30)) == [Wish(queue="fetch", source=None, count=30)]


def test_what_was_overtaken_is_rung_for_however_full_the_queue_is():
    assert singles(waiting(stale=10), depths={"fetch": 500}, overtaken={"fetch": 2}) == [
        Wish(queue="fetch", source=None, count=2)
    ]
    assert singles(waiting(stale=10), depths={"fetch": 500}, overtaken={"money": 2}) == []


def test_what_was_overtaken_is_among_what_outnumbers_the_messages():
    assert singles(waiting(stale=10), depths={"fetch": 7}, overtaken={"fetch": 2}) == [Wish(queue="fetch", source=None, count=3)]
    assert singles(waiting(stale=10), depths={"fetch": 9}, overtaken={"fetch": 2}) == [Wish(queue="fetch", source=None, count=2)]


def test_what_waits_for_slots_of_its_source_is_overtaken_by_nobody():
    found = singles(waiting(source="newsapi", stale=30), depths={"fetch": 40}, paced={"newsapi": 30}, overtaken={"fetch": 30})
    assert found == []


def test_the_order_of_begun_jobs_is_asked_for_only_where_messages_may_hide_a_lost_bell():
    full = {"fetch": 3}
    assert may_be_overtaken([waiting(stale=1)], depths=full)
    for nothing in (
        waiting(unrung=1),
        waiting(stale=1, source="newsapi"),
        waiting(stale=1, is_batch=True),
        waiting(stale=1, queue="money"),
    ):
        assert not may_be_overtaken([nothing], depths=full)


def test_one_look_rings_no_more_than_its_bound():
    assert singles(waiting(unrung=5000), rows_max=1000) == [Wish(queue="fetch", source=None, count=1000)]


groups = st.lists(
    st.builds(
        waiting,
        queue=st.sampled_from(["fetch", "money"]),
        task=st.sampled_from("abc"),
        source=st.sampled_from(["", "newsapi"]),
        is_batch=st.booleans(),
        unrung=st.integers(0, 50),
        stale=st.integers(0, 50),
    ),
    max_size=6,
)


@given(groups, st.integers(0, 100), st.integers(0, 100), st.integers(0, 50))
def test_never_more_bells_than_waiting_jobs_and_never_fewer_than_are_lost_for_certain(found, depth, paced, overtaken):
    wishes = singles(*found, depths={"fetch": depth}, paced={"newsapi": paced}, overtaken={"money": overtaken}, rows_max=10_000)
    for queue in ("fetch", "money"):
        jobs = sum(group.unrung + group.stale for group in found if group.queue == queue and not group.is_batch)
        unrung = sum(group.unrung for group in found if group.queue == queue and not group.is_batch)
        rung = sum(wish.count for wish in wishes if wish.queue == queue)
        assert unrung <= rung <= jobs
        without_source = sum(group.stale for group in found if group.queue == queue and not group.is_batch and not group.source)
        assert queue == "fetch" or rung >= unrung + min(overtaken, without_source)


def batches(*groups, is_forgotten=False):
    return silent_batches(groups, old_until=NOW - PATIENCE, is_forgotten=is_forgotten)


def bells(count, *, goes_first=False, task="t"):
    return [BatchWish(queue="fetch", task=task, bells=count, goes_first=goes_first)]


def test_a_batch_gets_one_bell_for_all_its_rows():
    rows = (waiting(is_batch=True, stale=500), waiting(is_batch=True, source="newsapi", stale=500))
    assert batches(*rows) == bells(1)
    assert batches(waiting(is_batch=True, unrung=500)) == bells(1)


def test_a_batch_whose_latest_bell_is_fresh_gets_none():
    fresh = NOW - PATIENCE + timedelta(milliseconds=1)
    assert batches(waiting(is_batch=True, stale=500, latest_bell_at=fresh)) == []
    assert batches(waiting(is_batch=True, unrung=1, stale=500, latest_bell_at=fresh)) == bells(1)


def test_rows_that_were_tried_before_get_a_bell_for_each_25_since_they_are_claimed_one_by_one():
    def tried(count):
        return waiting(is_batch=True, unrung=count, unrung_tried=count, is_retry=True, latest_bell_at=None)

    found = {count: batches(tried(count)) for count in (1, 25, 26, 100, 1000)}
    assert found == {count: bells(many, goes_first=True) for count, many in ((1, 1), (25, 1), (26, 2), (100, 4), (1000, 16))}
    assert batches(tried(50), waiting(is_batch=True, source="newsapi", unrung=50, unrung_tried=50)) == bells(4, goes_first=True)


def test_rows_that_were_rung_for_already_add_no_more_than_one_bell():
    stale = waiting(is_batch=True, stale=1000, is_retry=True)
    assert batches(stale) == bells(1, goes_first=True)


def test_what_a_broker_forgot_gets_bells_that_go_first_though_the_latest_one_is_fresh():
    def forgotten(count):
        return batches(waiting(is_batch=True, stale=count, latest_bell_at=NOW), is_forgotten=True)

    found = {count: forgotten(count) for count in (0, 1, 100, 101, 9000)}
    assert found.pop(0) == []
    assert found == {count: bells(many, goes_first=True) for count, many in ((1, 1), (100, 1), (101, 2), (9000, 16))}


@given(groups)
def test_a_batch_task_that_is_rung_for_has_rows_and_gets_between_one_bell_and_its_bound(found):
    wishes = batches(*found)
    assert len({(wish.queue, wish.task) for wish in wishes}) == len(wishes)
    assert {(wish.queue, wish.task) for wish in wishes} == {(group.queue, group.task) for group in found if group.is_batch}
    assert all(1 <= wish.bells <= BELLS_A_TASK_MAX for wish in wishes)


def test_single_jobs_and_batches_are_not_mixed_up():
    assert batches(waiting(stale=500)) == []
    assert singles(waiting(is_batch=True, stale=500)) == []
