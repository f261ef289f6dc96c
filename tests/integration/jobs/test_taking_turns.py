"""Jobs of one scope: one runs at a time, and none that is wanted is lost for it."""

from __future__ import annotations

from functools import partial

import pytest

from apps.jobs import services as jobs
from apps.jobs.models import Job, Schedule
from apps.jobs.types import ClaimedJob
from tests.integration.jobs.jobs_world import (
    NOW,
    QUEUE,
    SINGLE,
    after,
    at_once,
    claim,
    enqueue,
    failure,
    refused,
    row,
    states,
)  # fmt: skip
from tests.integration.jobs.schedule_world import MINUTE, START, every, look, slots, story

pytestmark = pytest.mark.django_db(transaction=True)
SEAL = "tasks.upkeep.seal"
ENDS = {
    "done": lambda held: jobs.finish(claim=held, now=after(1)),
    "failed": lambda held: jobs.fail(claim=held, error=failure("no luck"), now=after(1)),
    "put off": lambda held: jobs.postpone(claim=held, wait_s=30, now=after(1)),
    "killed": lambda held: jobs.lose(job_id=held.id, owner="worker-1", reason="signal 9", now=after(1)),
}


def rung(bells) -> list[str]:
    found = [bell.job_id for bell in bells]
    bells.clear()
    return found


@pytest.mark.parametrize("end", sorted(ENDS))
def test_work_whose_scope_is_busy_waits_and_is_rung_for_when_it_is_free(bells, end):
    scopes = ("one", "one", "one", "two")
    first, second, third, other = (enqueue(scope=scope, now=after(number / 10)) for number, scope in enumerate(scopes))
    held = claim(first)
    assert [refused(job_id, now=after(1)) for job_id in (second, third)] == ["busy", "busy"]
    assert (row(second).state, row(second).attempts, row(second).reason, row(second).rung_at) == ("queued", 0, "", None)
    bells.clear()
    ENDS[end](held)
    assert [(bell.job_id, bell.goes_first) for bell in bells] == [(second, True)]
    assert (row(second).rung_at, row(third).rung_at, row(other).rung_at) == (after(1), None, after(0.3))
    assert claim(second, now=after(1)).attempts == 1


def test_the_bell_for_the_next_one_rings_only_if_the_end_is_committed(bells):
    first, _ = enqueue(scope="one"), enqueue(scope="one")
    held = claim(first)
    Job.objects.filter(id=first).update(fencing_token=9)
    bells.clear()
    with pytest.raises(Exception, match="stale"):
        jobs.finish(claim=held, now=after(1))
    assert bells == []


def test_a_retry_whose_scope_is_busy_keeps_its_attempts_and_its_reason(bells):
    first, second = enqueue(scope="one"), enqueue(scope="one")
    jobs.fail(claim=claim(first), error=failure("no luck"), now=NOW)
    held = claim(second)
    assert refused(first, now=after(10)) == "busy"
    assert (row(first).state, row(first).attempts, row(first).reason) == ("queued", 1, "ValueError: no luck")
    jobs.finish(claim=held, now=after(11))
    assert claim(first, now=after(11)).attempts == 2


def test_the_caretaker_rings_for_the_first_in_line_of_a_free_scope_and_for_none_of_a_busy_one(bells):
    ids = [enqueue(scope="one", now=after(number / 10)) for number in range(20)]
    held = claim(ids[0])
    for job_id in ids[1:]:
        assert refused(job_id, now=after(3)) == "busy"
    bells.clear()
    assert [jobs.reconcile(depths={}, now=after(second)).rerung for second in (3, 9)] == [0, 0]
    jobs.finish(claim=held, now=after(10))
    assert rung(bells) == [ids[1]]
    # That bell is lost.
    assert [jobs.reconcile(depths={}, now=after(second)).rerung for second in (11, 14, 15)] == [0, 0, 1]
    assert rung(bells) == [ids[1]]


def test_a_scope_whose_worker_was_lost_goes_on_at_the_caretakers_look(bells):
    first, second = enqueue(scope="one"), enqueue(scope="one", now=after(1))
    claim(first)
    assert refused(second, now=after(2)) == "busy"
    bells.clear()
    found = jobs.reconcile(depths={}, now=after(15))
    assert (found.freed, found.rerung, rung(bells)) == (1, 1, [first])
    jobs.finish(claim=claim(first, now=after(16)), now=after(17))
    assert rung(bells) == [second]


def test_a_fresh_tick_that_finds_its_work_running_leaves(bells):
    every("tick", 60)
    look(START + MINUTE)
    first = Job.objects.get(state="queued")
    held = claim(first.id, task=SEAL, now=START + MINUTE)
    look(START + 2 * MINUTE)
    second = Job.objects.get(state="queued")
    assert refused(second.id, task=SEAL, now=START + 2 * MINUTE) == "busy"
    assert story("tick") == [("running", ""), ("skipped", "running already")]
    bells.clear()
    jobs.finish(claim=held, now=START + 3 * MINUTE)
    assert bells == []


def test_a_tick_that_was_tried_before_waits_for_its_scope(bells):
    every("tick", 60)
    look(START + MINUTE)
    tick = Job.objects.get(state="queued")
    jobs.fail(claim=claim(tick.id, task=SEAL, now=START + MINUTE), error=failure("no luck"), now=START + MINUTE)
    by_hand = enqueue(SEAL, scope=tick.scope, now=START)
    claim(by_hand, task=SEAL, now=START + 2 * MINUTE)
    assert refused(tick.id, task=SEAL, now=START + 2 * MINUTE) == "busy"
    assert (row(tick.id).state, row(tick.id).attempts) == ("queued", 1)


def work_off(bells, children: int) -> list[ClaimedJob]:
    """Let so many children answer bells, each job taking three turns, and return the claims in the order of their begin."""
    waiting = list(rung(bells))
    working: list[tuple[int, ClaimedJob]] = []
    begun: list[ClaimedJob] = []
    for turn in range(1000):
        now = START + 10 * MINUTE
        for ends, held in [entry for entry in working if entry[0] <= turn]:
            jobs.finish(claim=held, now=now)
            working.remove((ends, held))
        fresh = [bell for bell in bells if bell.goes_first]
        waiting = [bell.job_id for bell in fresh] + waiting
        bells.clear()
        while waiting and len(working) < children:
            given = jobs.claim(job_id=waiting.pop(0), task=SEAL, owner="w", now=now)
            if isinstance(given, ClaimedJob):
                working.append((turn + 3, given))
                begun.append(given)
        if not waiting and not working:
            break
    return begun


@pytest.mark.parametrize("children", [1, 2, 5])
def test_all_ten_missed_slots_are_done_one_at_a_time_and_in_order(bells, children):
    every("tick", 60)
    Schedule.objects.filter(name="tick").update(misfire="all")
    assert look(START + 10 * MINUTE).made == 10
    begun = work_off(bells, children)
    assert [held.slot_at for held in begun] == slots("tick", "done")
    assert (len(begun), states()) == (10, {"done": 10})


def test_a_later_slot_whose_bell_comes_first_does_not_overtake(bells):
    every("tick", 60)
    Schedule.objects.filter(name="tick").update(misfire="all")
    look(START + 3 * MINUTE)
    first, second, third = Job.objects.order_by("slot_at").values_list("id", flat=True)
    now = START + 4 * MINUTE
    assert [refused(job_id, task=SEAL, now=now) for job_id in (third, second)] == ["busy", "busy"]
    jobs.finish(claim=claim(first, task=SEAL, now=now), now=now)
    assert refused(third, task=SEAL, now=now) == "busy"
    jobs.finish(claim=claim(second, task=SEAL, now=now), now=now)
    assert claim(third, task=SEAL, now=now).slot_at == slots("tick")[-1]


def end_or_claim(held: ClaimedJob, waiting: str, place: int) -> object:
    if place == 0:
        return jobs.finish(claim=held, now=after(1))
    return jobs.claim(job_id=waiting, task=SINGLE, owner="w", now=after(1))


def test_a_job_that_ends_while_another_is_refused_leaves_none_without_a_bell(bells):
    """Whichever comes first: the refused one is rung for by the end, or by the caretaker."""
    for number in range(10):
        scope = f"scope {number}"
        first, second = enqueue(scope=scope), enqueue(scope=scope)
        held = claim(first)
        bells.clear()
        _, given = at_once(2, partial(end_or_claim, held, second))
        if given == "busy":
            jobs.reconcile(depths={QUEUE: 0}, now=after(1))
            assert second in rung(bells)
            given = claim(second, now=after(1))
        assert isinstance(given, ClaimedJob)
        jobs.finish(claim=given, now=after(2))
    assert states() == {"done": 20}
