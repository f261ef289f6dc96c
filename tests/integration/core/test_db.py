"""Transactions in three words, locks, and COPY, on real PostgreSQL."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.db import transaction as django_transaction

from apps.core import db, rows


@db.durable
def _durable() -> str:
    return "ran"


@db.transaction
def _in_transaction() -> bool:
    return db.in_transaction()


@db.transaction_required
def _part_of_more() -> str:
    return "ran"


@pytest.mark.django_db(transaction=True)
def test_a_durable_function_runs_alone_and_refuses_inside_a_transaction():
    assert _durable() == "ran"
    with django_transaction.atomic(), pytest.raises(db.InsideTransaction, match="_durable"):
        _durable()


@pytest.mark.django_db
def test_the_wrapper_of_a_test_does_not_count_as_a_transaction():
    assert connection.in_atomic_block
    assert not db.in_transaction()
    assert _durable() == "ran"


@pytest.mark.django_db(transaction=True)
def test_a_transaction_opens_and_ends():
    assert _in_transaction() is True
    assert not db.in_transaction()


@pytest.mark.django_db(transaction=True)
def test_a_part_of_a_larger_change_refuses_to_run_alone():
    with pytest.raises(db.OutsideTransaction, match="_part_of_more"):
        _part_of_more()
    with django_transaction.atomic():
        assert _part_of_more() == "ran"


def test_each_function_is_marked_with_its_kind():
    kinds = [vars(function)["transaction_kind"] for function in (_durable, _in_transaction, _part_of_more)]
    assert kinds == ["durable", "transaction", "transaction_required"]


@pytest.mark.django_db(transaction=True)
def test_only_one_lets_one_in_and_the_next_after_it():
    answers: list[bool] = []

    def other() -> None:
        with db.only_one("tick") as is_ours:
            answers.append(is_ours)
        connection.close()

    with db.only_one("tick") as is_ours:
        assert is_ours
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert answers == [False]
    with db.only_one("tick") as is_ours:
        assert is_ours


@pytest.mark.django_db(transaction=True)
def test_a_lock_for_the_transaction_makes_others_wait_and_needs_a_transaction():
    with pytest.raises(db.OutsideTransaction):
        db.lock_for_transaction("bankroll")
    order: list[str] = []
    holds = threading.Event()

    def other() -> None:
        holds.wait()
        with django_transaction.atomic():
            db.lock_for_transaction("bankroll")
            order.append("second")
        connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    with django_transaction.atomic():
        db.lock_for_transaction("bankroll")
        holds.set()
        thread.join(timeout=0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.django_db(transaction=True)
def test_copy_loads_all_rows_or_none():
    columns = ("slug", "id", "name", "currency", "is_active", "created_at")
    good = [(f"tenant-{number}", f"tnt_{number}", "x", "USDC", True, "2026-01-01T00:00:00Z") for number in range(1000)]
    with django_transaction.atomic():
        assert rows.copy_rows("tenants_tenant", columns, good) == 1000
    assert _count("tenants_tenant") == 1000
    with pytest.raises(Exception, match="duplicate key"), django_transaction.atomic():
        rows.copy_rows("tenants_tenant", columns, [("new", "tnt_new", "x", "USDC", True, "2026-01-01T00:00:00Z"), good[0]])
    assert _count("tenants_tenant") == 1000


def _count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


@db.transaction
def _make_tenant(slug: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenants_tenant (slug, id, name, currency, is_active, created_at) VALUES (%s, %s, '', 'USDC', true, now())",
            [slug, f"tnt_{slug}"],
        )


@db.transaction
def _make_two() -> None:
    _make_tenant("first")
    _make_tenant("second")


class Refused(Exception):
    pass


def _refuse() -> None:
    raise Refused


@pytest.mark.django_db(transaction=True)
def test_the_guard_is_asked_once_inside_the_outermost_transaction_and_before_its_commit():
    seen: list[tuple[bool, int]] = []
    with db.guarded_commits(lambda: seen.append((db.in_transaction(), _count("tenants_tenant")))):
        _make_two()
        assert seen == [(True, 2)]
    _make_tenant("third")
    assert len(seen) == 1


@pytest.mark.django_db(transaction=True)
def test_a_guard_that_refuses_rolls_everything_back():
    with db.guarded_commits(_refuse), pytest.raises(Refused):
        _make_two()
    assert _count("tenants_tenant") == 0
    _make_two()
    assert _count("tenants_tenant") == 2


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_lost_anyway_asks_no_guard():
    @db.transaction
    def lost() -> str:
        _make_tenant("first")
        django_transaction.set_rollback(True)
        return "told"

    with db.guarded_commits(_refuse):
        assert lost() == "told"
    assert _count("tenants_tenant") == 0


@pytest.mark.django_db(transaction=True)
def test_an_error_of_the_body_is_told_and_not_the_guards():
    @db.transaction
    def broken() -> None:
        raise ValueError("body")

    with db.guarded_commits(_refuse), pytest.raises(ValueError, match="body"):
        broken()


@pytest.mark.django_db(transaction=True)
def test_guards_add_up_and_other_threads_have_none():
    asked: list[str] = []
    errors: list[BaseException] = []

    def other() -> None:
        try:
            _make_tenant("other")
        except BaseException as error:
            errors.append(error)
        connection.close()

    with db.guarded_commits(lambda: asked.append("outer")):
        with db.guarded_commits(lambda: asked.append("inner")):
            _make_tenant("first")
        with db.guarded_commits(_refuse):
            with pytest.raises(Refused):
                _make_tenant("refused")
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        _make_tenant("second")
    with db.guarded_commits(_refuse), db.guarded_commits(lambda: asked.append("unheard")), pytest.raises(Refused):
        _make_tenant("refused")
    assert (asked, errors, _count("tenants_tenant")) == (["outer", "inner", "outer", "outer"], [], 3)
