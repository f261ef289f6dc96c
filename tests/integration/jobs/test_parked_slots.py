"""A schedule that fails at each of its slots leaves one dead letter, and a history that tells of every slot."""

from __future__ import annotations

import pytest

from apps.jobs import selectors
from apps.jobs import services as jobs
from apps.jobs.models import Job, Schedule
from tests.integration.jobs.jobs_world import SINGLE, after, at_once, claim, enqueue, failure, refused, row, states

TICK = "the minutely tick"


def slot(minute: int, **fields) -> str:
    values = {"schedule": TICK, "attempts_max": 1, **fields}
    return enqueue(slot_at=after(60 * minute), now=after(60 * minute), **values)


def fail(job_id: str, words: str = "no luck") -> str:
    at = row(job_id).made_at
    return jobs.fail(claim=claim(job_id, now=at), error=failure(words), now=at)


def policy(misfire: str, name: str = TICK) -> None:
    Schedule.objects.update_or_create(name=name, defaults={"misfire": misfire})


@pytest.mark.parametrize("misfire", ["latest", "skip", None])
def test_a_tick_that_always_fails_has_one_dead_letter(db, bells, misfire):
    if misfire:
        policy(misfire)
    ids = [slot(minute) for minute in range(5)]
    assert {fail(job_id, f"no luck at {number}") for number, job_id in enumerate(ids)} == {"parked"}
    assert states() == {"parked": 1, "discarded": 4}
    assert [letter.id for letter in selectors.dead_letters(limit=10)] == [ids[-1]]


def test_the_history_tells_what_happened_at_each_slot(db, bells):
    for minute in range(3):
        fail(slot(minute), f"no luck at {minute}")
    found = [(one.state, one.slot_at, one.run_s, one.reason) for one in selectors.schedule_history(name=TICK, limit=10)]
    assert found == [
        ("parked", after(120), 0.0, "ValueError: no luck at 2"),
        ("discarded", after(60), 0.0, "superseded by 2026-11-22 12:02:00 UTC: ValueError: no luck at 1"),
        ("discarded", after(0), 0.0, "superseded by 2026-11-22 12:01:00 UTC: ValueError: no luck at 0"),
    ]
    assert all("no luck at" in trace for trace in Job.objects.values_list("trace", flat=True))


def test_where_each_slot_is_wanted_all_are_kept(db, bells):
    policy("all")
    for minute in range(4):
        fail(slot(minute))
    assert states() == {"parked": 4}


def test_a_later_try_of_an_older_slot_gives_way_as_well(db, bells):
    older, newer = slot(0, attempts_max=2), slot(1)
    assert fail(older) == "queued"
    fail(newer)
    jobs.fail(claim=claim(older, now=after(90)), error=failure("again"), now=after(90))
    assert (row(older).state, row(newer).state) == ("discarded", "parked")
    assert row(older).reason == "superseded by 2026-11-22 12:01:00 UTC: ValueError: again"


def test_other_schedules_and_work_without_one_keep_their_dead_letters(db, bells):
    others = [slot(0, schedule="another tick"), enqueue(attempts_max=1), enqueue(attempts_max=1)]
    for job_id in (*others, slot(1), slot(2)):
        fail(job_id)
    assert {row(job_id).state for job_id in others} == {"parked"}
    assert states() == {"parked": 4, "discarded": 1}


def test_a_reason_that_gets_too_long_loses_its_end(db, bells):
    fail(slot(0), "x" * 400)
    fail(slot(1))
    reason = Job.objects.get(state="discarded").reason
    assert (len(reason), reason[:50]) == (300, "superseded by 2026-11-22 12:01:00 UTC: ValueError:")


@pytest.mark.django_db(transaction=True)
def test_every_way_into_parking_lets_the_older_ones_go(bells):
    fail(slot(0))
    killed = claim(slot(1), now=after(60), owner="worker-1")
    assert jobs.lose(job_id=killed.id, owner="worker-1", reason="killed", now=after(60)) == "parked"
    assert states() == {"parked": 1, "discarded": 1}
    claim(slot(2), now=after(120))
    assert jobs.reconcile(depths={}, now=after(140)).parked == 1  # its worker is silent
    assert states() == {"parked": 1, "discarded": 2}
    slot(3, deadline_at=after(185))
    assert jobs.reconcile(depths={}, now=after(190)).parked == 1  # its deadline passed
    assert states() == {"parked": 1, "discarded": 3}
    assert refused(slot(4, deadline_at=after(245)), now=after(250)) == "parked"
    assert states() == {"parked": 1, "discarded": 4}
    assert Job.objects.get(state="parked").slot_at == after(240)


@pytest.mark.django_db(transaction=True)
def test_of_eight_slots_that_are_parked_at_once_one_is_kept(bells):
    held = [claim(slot(minute), now=after(600)) for minute in range(8)]
    at_once(8, lambda number: jobs.fail(claim=held[number], error=ValueError("x"), now=after(600)))
    assert states() == {"parked": 1, "discarded": 7}
    assert Job.objects.get(state="parked").slot_at == after(7 * 60)


@pytest.mark.django_db(transaction=True)
def test_of_many_that_are_parked_at_one_look_one_of_each_schedule_is_kept(bells):
    for number in range(12):
        claim(slot(number // 3, schedule=f"tick {number % 3}"), now=after(600))
    assert jobs.reconcile(depths={}, now=after(700)).parked == 12
    assert states() == {"parked": 3, "discarded": 9}
    assert set(Job.objects.filter(state="parked").values_list("slot_at", flat=True)) == {after(180)}


def test_what_a_person_sent_back_is_left_alone(db, bells):
    replayed = slot(0)
    fail(replayed)
    jobs.replay(job_id=replayed, by="olga", now=after(30))
    fail(slot(1))
    assert (row(replayed).state, states()) == ("queued", {"queued": 1, "parked": 1})


def test_those_of_an_older_desk_go_slice_by_slice(db, bells, monkeypatch):
    monkeypatch.setattr("apps.jobs.services.superseding.ROWS_MAX", 3)
    policy("all")
    for minute in range(6):
        fail(slot(minute))
    policy("latest")
    fail(slot(6))
    assert states() == {"parked": 4, "discarded": 3}
    fail(slot(7))
    assert states() == {"parked": 2, "discarded": 6}
    assert Job.objects.filter(task=SINGLE).count() == 8
