"""Several connections write to one book at the same time."""

import threading
from collections import Counter
from typing import Any

from django.db import connection, transaction

from apps.ledger import selectors, services
from apps.ledger.errors import InsufficientFunds
from apps.ledger.models import Account, Entry, Hold
from tests.integration.ledger.conftest import NOW, open_book

THREADS = 8


def together(action):
    """Run `action(number)` in eight threads that start at once; return what each returned or raised."""
    start = threading.Barrier(THREADS)
    answers: list[Any] = [None] * THREADS

    def run(number):
        try:
            start.wait(10)
            answers[number] = action(number)
        except Exception as error:
            answers[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return answers


def kinds(answers):
    return Counter(type(answer).__name__ for answer in answers)


def test_no_update_is_lost(committed_book):
    book = committed_book

    def move_back_and_forth(number):
        for step in range(15):
            to, out_of = ("positions", "fees") if (number + step) % 2 else ("fees", "positions")
            book.move(f"{number}:{step}", to, out_of, 1 + number)

    answers = together(move_back_and_forth)
    assert answers == [None] * THREADS
    assert Entry.objects.count() == 1 + THREADS * 15
    expected = sum((1 + number) * (1 if (number + step) % 2 else -1) for number in range(THREADS) for step in range(15))
    assert (book.account("positions").balance_minor, book.account("fees").balance_minor) == (expected, -expected)
    assert selectors.verify_books().is_balanced


def test_no_account_is_overdrawn(committed_book):
    answers = together(lambda number: committed_book.move(f"spend:{number}", "positions", "cash", 300))
    assert kinds(answers) == {"EntryView": 3, "InsufficientFunds": 5}
    assert committed_book.account("cash").balance_minor == 100
    assert selectors.verify_books().is_balanced


def test_no_more_is_held_than_there_is(committed_book):
    answers = together(lambda number: committed_book.hold(f"order:{number}", 300))
    assert kinds(answers) == {"HoldView": 3, "InsufficientFunds": 5}
    assert committed_book.account("cash").held_minor == 900
    assert selectors.verify_books().is_balanced


def test_the_same_entry_from_everybody_is_booked_once(committed_book):
    answers = together(lambda number: committed_book.move("fill:1", "positions", "cash", 300))
    assert kinds(answers) == {"EntryView": THREADS}
    assert len({answer.id for answer in answers}) == 1
    assert committed_book.account("cash").balance_minor == 700


def test_the_same_reference_on_other_accounts_is_booked_once(committed_book):
    """These writers share no account, so nothing but the unique reference stands between them."""
    book = committed_book
    for number in range(THREADS):
        for side in ("to", "from"):
            services.open_account(
                tenant_id=book.tenant_id,
                code=f"{side}{number}",
                kind="asset",
                currency="USDC",
                may_go_negative=True,
                by="ann",
                now=NOW,
            )
    answers = together(lambda number: book.move("once", f"to{number}", f"from{number}", 1))
    assert kinds(answers) == {"EntryView": 1, "ReferenceTaken": THREADS - 1}
    assert Entry.objects.filter(reference="once").count() == 1
    assert selectors.verify_books().is_balanced


def test_an_entry_is_reversed_once(committed_book):
    entry = committed_book.move("fill:1", "positions", "cash", 300)
    answers = together(lambda number: committed_book.reverse(entry.id, f"undo:{number}"))
    assert kinds(answers) == {"EntryView": 1, "AlreadyReversed": THREADS - 1}
    assert committed_book.account("cash").balance_minor == 1_000


def test_a_hold_is_captured_or_voided_but_not_both(committed_book):
    hold = committed_book.hold("order:1", 300)
    answers = together(lambda number: (committed_book.capture if number % 2 else committed_book.void)(hold.id))
    assert kinds(answers) == {"HoldView": THREADS // 2, "HoldEnded": THREADS // 2}
    assert committed_book.account("cash").held_minor == 0
    assert Hold.objects.get().state in ("captured", "voided")


def test_transactions_of_several_actions_do_not_wait_in_a_circle(committed_book):
    """Half of them touch cash first and then an account of a smaller id, half touch both at once."""
    book = committed_book
    small = Account.objects.create(
        id="acc_0", tenant_id=book.tenant_id, code="small", kind="asset", currency="USDC", created_at=NOW
    )
    assert small.id < book.id("cash")
    holds = [[book.hold(f"order:{number}:{step}", 1) for step in range(10)] for number in range(THREADS)]

    def work(number):
        for step in range(10):
            with transaction.atomic():
                if number % 2:
                    services.void_hold(hold_id=holds[number][step].id, by="ann", now=NOW)
                book.move(f"{number}:{step}", "small", "cash", 1)

    assert together(work) == [None] * THREADS
    assert book.account("small").balance_minor == THREADS * 10
    assert selectors.verify_books().is_balanced


def test_the_books_of_two_tenants_do_not_wait_for_each_other(committed_book):
    other = open_book("bob")
    with transaction.atomic():
        committed_book.move("open", "positions", "cash", 1)
        answers = together(lambda number: other.move(f"{number}", "positions", "capital", 1))
    assert kinds(answers) == {"EntryView": THREADS}


def test_an_account_is_opened_once(transactional_db):
    book = open_book("alice")
    answers = together(
        lambda number: services.open_account(
            tenant_id=book.tenant_id, code="new", kind="asset", currency="USDC", may_go_negative=True, by="ann", now=NOW
        )
    )
    assert kinds(answers) == {"AccountView": THREADS}
    assert len({answer.id for answer in answers}) == 1


def test_a_day_of_many_hands_balances(committed_book):
    """Orders are held, captured and booked, or voided, by all at once; money is short, so some are refused."""
    book = committed_book
    refused = []

    def trade(number):
        for step in range(8):
            try:
                hold = book.hold(f"order:{number}:{step}", 120)
            except InsufficientFunds:
                refused.append((number, step))
                continue
            if step % 3 == 0:
                book.void(hold.id)
                continue
            with transaction.atomic():
                services.capture_hold(hold_id=hold.id, by="ann", now=NOW)
                entry = book.move(f"fill:{number}:{step}", "positions", "cash", 100)
            if step % 3 == 1:
                book.reverse(entry.id, f"undo:{number}:{step}")

    assert together(trade) == [None] * THREADS
    cash = book.account("cash")
    assert cash.held_minor == 0
    assert cash.balance_minor == 1_000 - book.account("positions").balance_minor >= 0
    assert Hold.objects.count() == THREADS * 8 - len(refused)
    assert selectors.verify_books().differences == ()
