"""Parked work: two ways out, each audited; by service, command and admin."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command

from apps.accounts.models import User
from apps.audit.models import Event
from apps.core.bell import Bell
from apps.jobs import services as jobs
from apps.jobs.errors import JobNotFound, JobNotParked
from apps.jobs.models import Job
from tests.integration.jobs.jobs_world import (
    NOW,
    QUEUE,
    SINGLE,
    after,
    at_once,
    claim,
    enqueue,
    fail_until_parked,
    refused,
    row,
    states,
)  # fmt: skip

DEEDS = {"replay": jobs.replay, "discard": jobs.discard}


def parked(**fields) -> str:
    job_id = enqueue(**fields)
    fail_until_parked(job_id)
    return job_id


def events() -> list[tuple[str, str, str]]:
    return list(Event.objects.order_by("id").values_list("action", "subject", "actor"))


@pytest.mark.django_db(transaction=True)
def test_a_replayed_job_waits_in_its_queue_as_if_it_were_new(bells):
    job_id = parked(deadline_at=after(1000), start_by=after(900))
    Job.objects.update(progress_done=3, progress_total=9, progress_note="half", progress_at=NOW)
    bells.clear()
    jobs.replay(job_id=job_id, by="olga", now=after(2000))
    job = row(job_id)
    assert (job.progress_done, job.progress_total, job.progress_note, job.progress_at) == (None, None, "", None)
    assert (job.state, job.attempts, job.next_try_at, job.deadline_at, job.start_by) == ("queued", 0, after(2000), None, None)
    assert (job.reason, job.trace, job.finished_at) == ("", "", None)
    assert bells == [Bell(task=SINGLE, queue=QUEUE, job_id=job_id)]
    held = claim(job_id, now=after(2000))
    assert (held.attempts, held.token) == (1, 4)


def test_what_was_before_a_replay_stays_in_the_audit_trail(db, bells):
    job_id = parked(tenant="tnt_1")
    jobs.replay(job_id=job_id, by="olga", now=after(300))
    event = Event.objects.get()
    assert (event.action, event.subject, event.actor, event.tenant) == ("dead_letter.replayed", job_id, "olga", "tnt_1")
    assert (event.detail["attempts"], event.detail["reason"], event.detail["task"]) == (3, "ValueError: no luck", SINGLE)


def test_a_discarded_job_stays_readable_and_is_never_given(db, bells):
    job_id = parked()
    jobs.discard(job_id=job_id, by="olga", now=after(300))
    assert (row(job_id).state, row(job_id).reason, row(job_id).finished_at) == ("discarded", "ValueError: no luck", after(300))
    assert refused(job_id, now=after(400)) == "done"
    assert events() == [("dead_letter.discarded", job_id, "olga")]


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_only_parked_jobs_have_these_ways_out(db, bells, deed):
    queued = enqueue()
    running = enqueue()
    claim(running)
    for job_id, refusal in ((queued, JobNotParked), (running, JobNotParked), ("job_none", JobNotFound)):
        with pytest.raises(refusal):
            DEEDS[deed](job_id=job_id, by="olga", now=after(1))
    assert (states(), events()) == ({"queued": 1, "running": 1}, [])


@pytest.mark.django_db(transaction=True)
def test_of_six_people_at_once_one_decides(bells):
    job_id = parked()
    bells.clear()
    answers = at_once(6, lambda n: DEEDS["replay" if n % 2 else "discard"](job_id=job_id, by=f"user-{n}", now=after(300)))
    assert sorted(type(answer).__name__ for answer in answers) == ["JobNotParked"] * 5 + ["NoneType"]
    assert (len(events()), len(bells)) == (1, 1 if row(job_id).state == "queued" else 0)


def run(*arguments):
    out, err = StringIO(), StringIO()
    try:
        call_command("dead_letters", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_the_command_lists_replays_and_discards(db, bells):
    first, second = parked(), parked()
    Job.objects.filter(id=second).update(finished_at=after(500))
    code, out, _ = run("list", "--json")
    listed = json.loads(out)
    assert (code, listed["parked"], [letter["id"] for letter in listed["dead_letters"]]) == (0, 2, [second, first])
    assert "ValueError" in listed["dead_letters"][0]["reason"]
    assert "Traceback" not in out
    assert json.loads(run("replay", first, "--json")[1]) == {"id": first, "state": "queued"}
    assert json.loads(run("discard", second, "--json")[1]) == {"id": second, "state": "discarded"}
    assert json.loads(run("list", "--json")[1]) == {"parked": 0, "dead_letters": []}
    assert [actor for _, _, actor in events()] == ["command:dead_letters"] * 2


def test_the_command_lists_one_letter_by_its_id_and_refuses_what_is_none(db, bells):
    first, _, queued = parked(), parked(), enqueue()
    code, out, _ = run("list", first, "--json")
    listed = json.loads(out)
    assert (code, listed["parked"], [letter["id"] for letter in listed["dead_letters"]]) == (0, 2, [first])
    assert "Traceback" not in out
    code, out, err = run("list", queued)
    assert (code, out) == (2, "")
    assert f"{queued} is queued, not parked" in err
    assert states() == {"parked": 2, "queued": 1}


@pytest.mark.parametrize(
    "arguments", [("replay",), ("discard", "job_none"), ("replay", "job_none"), ("list", "job_none"), ("burn",)]
)
def test_the_command_refuses_in_one_line_with_exit_2(db, capsys, arguments):
    code, out, err = run(*arguments)
    assert (code, out, (err + capsys.readouterr().err).count("\n")) == (2, "", 1)


def test_the_command_replays_a_job_only_once(db, bells):
    job_id = parked()
    assert run("replay", job_id)[0] == 0
    assert run("replay", job_id)[0] == 2
    assert len(events()) == 1


def test_the_admin_replays_and_discards_and_says_what_it_refused(db, bells, admin_client):
    first, second, queued = parked(), parked(), enqueue()
    chosen = {"action": "replay_chosen", "_selected_action": [first, queued]}
    page = admin_client.post("/admin/jobs/job/", chosen, follow=True).content.decode()
    assert "1 replayed" in page
    assert f"{queued} is queued, not parked" in page
    admin_client.post("/admin/jobs/job/", {"action": "discard_chosen", "_selected_action": [second]})
    assert states() == {"queued": 2, "discarded": 1}
    assert [action for action, _, _ in events()] == ["dead_letter.replayed", "dead_letter.discarded"]


def client_of(client, *permissions):
    user = User.objects.create_user("olga", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="jobs", codename__in=permissions))
    client.force_login(user)
    return client


def test_staff_who_may_only_look_can_neither_act_nor_read_tracebacks(db, bells, client):
    job_id = parked()
    looking = client_of(client, "view_job")
    page = looking.get(f"/admin/jobs/job/{job_id}/change/").content.decode()
    assert "no luck" in page
    assert "jobs_world.py" not in page
    looking.post("/admin/jobs/job/", {"action": "replay_chosen", "_selected_action": [job_id]})
    assert (states(), events()) == ({"parked": 1}, [])


def test_staff_who_may_act_read_tracebacks(db, bells, client):
    job_id = parked()
    acting = client_of(client, "view_job", "change_job")
    assert "jobs_world.py" in acting.get(f"/admin/jobs/job/{job_id}/change/").content.decode()
