"""The law of the book holds for raw SQL too."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from apps.ledger import selectors
from tests.integration.ledger.conftest import open_book

ENTRY = (
    "INSERT INTO ledger_entry (id, tenant_id, reference, kind, line_count, booked_at, by) "
    "VALUES ('ent_raw', '{tenant}', 'raw', 'raw', {count}, now(), 'eve')"
)
POSTING = "INSERT INTO ledger_posting (entry_id, account_id, amount_minor) VALUES ('{entry}', '{account}', {amount})"


def refused(match, *statements):
    """Run the statements in a transaction of their own, deferred rules included; the database must refuse them."""
    connection.check_constraints()  # nothing older may speak first

    def run():
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.check_constraints()

    with pytest.raises(DatabaseError, match=match):
        run()


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_posting"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_entries_and_postings_only_grow(book, table, verb):
    refused("append-only", verb.format(table))
    assert selectors.verify_books().is_balanced


@pytest.mark.parametrize(
    ("count", "lines", "fault"),
    [
        (2, [("cash", 5), ("fees", -4)], "sum to 1"),
        (2, [("cash", 5)], "1 postings, not 2"),
        (2, [], "0 postings, not 2"),
        (2, [("cash", 5), ("fees", -6), ("capital", 1)], "3 postings, not 2"),
        (1, [("cash", 5)], "entry_has_two_lines"),
        (2, [("cash", 0), ("fees", 0)], "posting_not_zero"),
    ],
)
def test_an_entry_that_does_not_balance_is_refused_at_commit(book, count, lines, fault):
    entry = ENTRY.format(tenant=book.tenant_id, count=count)
    refused(fault, entry, *(POSTING.format(entry="ent_raw", account=book.id(code), amount=amount) for code, amount in lines))


def test_an_entry_in_two_currencies_is_refused(book):
    euro = open_book("euro", "EUR")
    lines = [
        POSTING.format(entry="ent_raw", account=account, amount=amount)
        for account, amount in ((book.id("cash"), 5), (euro.id("cash"), -5))
    ]
    refused("mix currencies", ENTRY.format(tenant=book.tenant_id, count=2), *lines)


def test_an_entry_over_two_tenants_is_refused(book):
    other = open_book("bob")
    lines = [
        POSTING.format(entry="ent_raw", account=account, amount=amount)
        for account, amount in ((book.id("cash"), 5), (other.id("cash"), -5))
    ]
    refused("another tenant", ENTRY.format(tenant=book.tenant_id, count=2), *lines)


def test_lines_cannot_be_added_to_an_entry_later_even_balanced(book):
    entry = selectors.get_entry(tenant_id=book.tenant_id, reference="opening")
    lines = [POSTING.format(entry=entry.id, account=book.id(code), amount=amount) for code, amount in (("cash", 5), ("fees", -5))]
    refused("4 postings, not 2", *lines)


def test_a_balanced_entry_in_raw_sql_is_lawful(book):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ENTRY.format(tenant=book.tenant_id, count=2))
            for code, amount in (("cash", 5), ("fees", -5)):
                cursor.execute(POSTING.format(entry="ent_raw", account=book.id(code), amount=amount))
        connection.check_constraints()
    assert [difference.split(": ")[1] for difference in selectors.verify_books().differences] == [
        "balance 1000, postings sum to 1005",
        "balance 0, postings sum to -5",
    ]


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE ledger_account SET currency = 'EUR' WHERE code = 'cash'", "never change"),
        ("UPDATE ledger_account SET code = 'x' WHERE code = 'cash'", "never change"),
        ("UPDATE ledger_account SET kind = 'equity' WHERE code = 'cash'", "never change"),
        ("DELETE FROM ledger_account WHERE code = 'fees'", "an account stays"),
        ("TRUNCATE ledger_account CASCADE", "an account stays|append-only"),
        ("UPDATE ledger_account SET balance_minor = -1 WHERE code = 'cash'", "account_covers_its_holds"),
        ("UPDATE ledger_account SET held_minor = 1001 WHERE code = 'cash'", "account_covers_its_holds"),
        ("UPDATE ledger_account SET held_minor = -1 WHERE code = 'cash'", "account_held_not_negative"),
    ],
)
def test_an_account_stays_what_it_is(book, statement, fault):
    refused(fault, statement)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE ledger_hold SET state = 'open', ended_at = NULL WHERE reference = 'ended'", "ends once"),
        ("UPDATE ledger_hold SET state = 'voided' WHERE reference = 'ended'", "ends once"),
        ("UPDATE ledger_hold SET amount_minor = 1 WHERE reference = 'open'", "never change"),
        ("UPDATE ledger_hold SET state = 'captured' WHERE reference = 'open'", "hold_end_has_its_time"),
        ("UPDATE ledger_hold SET state = 'lost', ended_at = now() WHERE reference = 'open'", "hold_state_known"),
        ("DELETE FROM ledger_hold WHERE reference = 'open'", "a hold stays"),
        ("TRUNCATE ledger_hold", "a hold stays"),
        (
            (
                "INSERT INTO ledger_hold (id, account_id, reference, amount_minor, state, created_at, ended_at) "
                "SELECT 'hld_x', account_id, 'x', 1, 'captured', now(), now() FROM ledger_hold LIMIT 1"
            ),
            "begins open",
        ),
        (
            (
                "INSERT INTO ledger_hold (id, account_id, reference, amount_minor, state, created_at) "
                "SELECT 'hld_x', account_id, 'x', 0, 'open', now() FROM ledger_hold LIMIT 1"
            ),
            "hold_positive",
        ),
    ],
)
def test_a_hold_ends_once_and_stays_what_it_is(book, statement, fault):
    book.hold("open", 10)
    book.capture(book.hold("ended", 20).id)
    refused(fault, statement)


def test_the_rules_can_be_taken_back_and_given_again(transactional_db):
    executor = MigrationExecutor(connection)
    executor.migrate([("ledger", "0001_tables"), ("audit", "0001_tables")])
    assert _triggers() == 0
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    assert _triggers() == 20


def _triggers() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
            "WHERE NOT tgisinternal AND (relname LIKE 'ledger%' OR relname LIKE 'audit%')"
        )
        return int(cursor.fetchone()[0])
