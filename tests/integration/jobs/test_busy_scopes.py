"""One job of a scope runs: the claim asks first, and the index has the last word."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.jobs.models import Job
from tests.integration.jobs.jobs_world import after, at_once, claim, enqueue, refused, states


def test_a_busy_scope_is_no_error_of_the_database(db, bells):
    first, second = (enqueue(scope="catalogue:kalshi") for _ in range(2))
    claim(first)
    errors = []

    def noted(execute, statement, *rest):
        try:
            return execute(statement, *rest)
        except DatabaseError as error:
            errors.append((statement, error))
            raise

    with connection.execute_wrapper(noted):
        assert refused(second) == "busy"
        assert errors == []
        with pytest.raises(IntegrityError), transaction.atomic():  # what would be noted
            Job.objects.filter(id=second).update(state="running", lease_until=after(9))
    assert len(errors) == 1


@pytest.mark.django_db(transaction=True)
def test_a_scope_that_gets_busy_at_the_same_moment_is_decided_by_the_index(bells):
    first, second = (enqueue(scope="catalogue:kalshi") for _ in range(2))
    answers = []
    waiter = threading.Thread(target=lambda: answers.extend(at_once(1, lambda _: refused(second))))
    with transaction.atomic():
        # Taken and not yet committed: the other claim cannot see it, and has to wait at the index.
        Job.objects.filter(id=first).update(state="running", lease_until=after(15))
        waiter.start()
        wait_until_somebody_waits_for_us()
    waiter.join()
    assert (answers, states()) == (["busy"], {"running": 1, "queued": 1})


def wait_until_somebody_waits_for_us():
    """Return when another session waits for the end of this transaction."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid")
            if cursor.fetchone() == (1,):
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")
