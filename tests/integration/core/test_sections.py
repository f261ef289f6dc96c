"""One process at a time, without a database session while it waits."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection

from apps.core import keeping, sections
from apps.core.db import InsideTransaction, let_go, only_one, transaction
from apps.core.models import Section
from apps.core.sections import SectionLost, only_one_asking
from apps.tenants.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def in_a_thread(work):
    answers = []

    def run():
        answers.append(work())
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    return answers


def may_enter(name="feed"):
    with only_one_asking(name) as is_ours:
        return is_ours


def test_one_is_let_in_and_the_next_after_it():
    with only_one_asking("feed") as is_ours:
        assert is_ours
        assert in_a_thread(may_enter) == [False]
        assert in_a_thread(lambda: may_enter("other")) == [True]
        assert Section.objects.count() == 1
    assert in_a_thread(may_enter) == [True]
    assert Section.objects.count() == 0


def test_the_loser_does_not_put_the_winner_out():
    with only_one_asking("feed"):
        in_a_thread(may_enter)
        assert Section.objects.filter(name="feed").exists()


def test_an_error_inside_leaves_the_section():
    with pytest.raises(ValueError, match="bad"), only_one_asking("feed"):
        raise ValueError("bad")
    assert Section.objects.count() == 0


def test_who_died_inside_is_replaced_after_a_lease(monkeypatch):
    monkeypatch.setattr(sections, "ENTER", sections.ENTER.replace("15 s", "0 s"))
    gone = only_one_asking("feed")
    gone.__enter__()
    assert in_a_thread(may_enter) == [True]
    gone.__exit__(None, None, None)


def test_a_lease_is_renewed_while_the_block_runs(monkeypatch):
    monkeypatch.setattr(keeping, "RENEW_EVERY_S", 0.0)
    with only_one_asking("feed"):
        first = Section.objects.get().until
        in_a_thread(keeping.keeper.renew_due)
        assert Section.objects.get().until > first


def test_a_lease_that_was_taken_over_is_not_renewed_again(monkeypatch):
    monkeypatch.setattr(keeping, "RENEW_EVERY_S", 0.0)
    with only_one_asking("feed"):
        Section.objects.update(holder="somebody else")
        in_a_thread(keeping.keeper.renew_due)
        assert in_a_thread(keeping.keeper.renew_due) == [0]
    assert Section.objects.get().holder == "somebody else"


@transaction
def enter_in_a_transaction():
    with only_one_asking("feed"):
        raise AssertionError("nobody gets here")


def test_a_section_is_not_entered_inside_a_transaction():
    with pytest.raises(InsideTransaction):
        enter_in_a_transaction()
    assert Section.objects.count() == 0


def test_a_long_wait_lets_go_of_the_session_but_not_of_a_lock():
    with only_one("tick"):
        let_go()
        assert connection.connection is not None
    with only_one_asking("feed"):
        let_go()
        assert connection.connection is None


def test_nobody_is_in_a_section_after_a_crash_of_the_server():
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'core_section'")
        assert cursor.fetchone() == ("u",)


@transaction
def store(slug):
    Tenant.objects.create(slug=slug, name=slug, currency="USDC", created_at=NOW)


def slugs():
    return sorted(Tenant.objects.values_list("slug", flat=True))


def test_who_is_inside_commits_what_it_learnt():
    with only_one_asking("feed"):
        store("first")
        store("second")
    assert slugs() == ["first", "second"]


def test_who_lost_the_section_commits_nothing_and_is_told_to_come_again():
    with only_one_asking("feed"):
        store("before")
        Section.objects.update(holder="the successor")
        with pytest.raises(SectionLost, match="feed") as lost:
            store("late")
    assert lost.value.retry_after_s == 1.0
    assert slugs() == ["before"]
    assert Section.objects.count() == 1, "the successor's place is not taken from it"
    store("afterwards")
    assert slugs() == ["afterwards", "before"]


def test_who_is_late_but_was_not_replaced_still_commits():
    with only_one_asking("feed"):
        Section.objects.update(until="2026-01-01T00:00:00Z")
        store("late")
    assert slugs() == ["late"]


def test_the_loser_is_not_bound_by_the_section():
    with only_one_asking("feed"):

        def lose():
            with only_one_asking("feed") as is_ours:
                store("others")
                return is_ours

        assert in_a_thread(lose) == [False]
    assert slugs() == ["others"]


def test_a_section_in_a_section_needs_both():
    with only_one_asking("outer"), only_one_asking("inner"):
        Section.objects.filter(name="outer").update(holder="somebody else")
        with pytest.raises(SectionLost, match="outer"):
            store("late")
    assert slugs() == []
