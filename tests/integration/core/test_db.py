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
