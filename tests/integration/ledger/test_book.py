"""Accounts, entries and holds of one tenant."""

import json

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from apps.audit.selectors import events_table
from apps.core.db import OutsideTransaction
from apps.ledger import selectors, services
from apps.ledger.errors import (
    AccountDiffers,
    AccountNotFound,
    AlreadyReversed,
    EntryNotFound,
    HoldEnded,
    HoldNotFound,
    InsufficientFunds,
    ReferenceTaken,
    UnfitAccount,
    UnfitEntry,
    UnfitHold,
)
from apps.ledger.models import Entry, Hold, Posting
from apps.ledger.types import PostingLine, TrialLine
from tests.integration.ledger.conftest import NOW, open_book


def rows():
    return Entry.objects.count(), Posting.objects.count(), Hold.objects.count(), events_table().count()


def test_an_entry_moves_money_and_is_told_to_the_audit_log(book):
    before = events_table().count()
    entry = book.move("fill:1", "positions", "cash", 300, kind="fill")
    assert book.balances() == {"cash": 700, "positions": 300, "fees": 0, "capital": -1_000}
    assert entry.lines == (book.line("positions", 300), book.line("cash", -300))
    assert (entry.tenant_id, entry.reference, entry.kind, entry.reverses_id, entry.by) == (
        book.tenant_id,
        "fill:1",
        "fill",
        None,
        "ann",
    )
    assert selectors.get_entry(tenant_id=book.tenant_id, reference="fill:1") == entry
    told = events_table()[0]
    assert events_table().count() == before + 1
    assert (told["action"], told["subject"], told["tenant"]) == ("ledger.entry_booked", entry.id, book.tenant_id)
    assert told["detail"]["lines"] == [[book.id("positions"), 300], [book.id("cash"), -300]]


def test_the_same_reference_and_content_book_once(book):
    first = book.move("fill:1", "positions", "cash", 300)
    before = rows()
    lines = [book.line("cash", -300), book.line("positions", 300)]
    with transaction.atomic():
        again = services.post(tenant_id=book.tenant_id, reference="fill:1", kind="move", lines=lines, by="bob", now=NOW)
    assert again == first
    assert rows() == before
    assert book.account("cash").balance_minor == 700


@pytest.mark.parametrize(("amount", "kind"), [(299, "move"), (300, "other")])
def test_the_same_reference_with_other_content_is_a_conflict(book, amount, kind):
    book.move("fill:1", "positions", "cash", 300)
    before = rows()
    with pytest.raises(ReferenceTaken):
        book.move("fill:1", "positions", "cash", amount, kind=kind)
    assert rows() == before
    assert book.account("cash").balance_minor == 700


def test_the_same_reference_of_another_tenant_is_another_entry(book):
    other = open_book("bob")
    other.move("opening", "cash", "capital", 5)
    assert (book.account("cash").balance_minor, other.account("cash").balance_minor) == (1_000, 5)


@pytest.mark.parametrize("amounts", [(1,), (1, -2), (0, 0), ()])
def test_lines_that_are_no_entry_change_nothing(book, amounts):
    before = rows()
    lines = [PostingLine(book.id(code), amount) for code, amount in zip(("cash", "fees"), amounts, strict=False)]
    with pytest.raises(UnfitEntry), transaction.atomic():
        services.post(tenant_id=book.tenant_id, reference="x", kind="x", lines=lines, by="ann", now=NOW)
    assert rows() == before


def test_two_currencies_in_one_entry_are_refused(book):
    euro = services.open_account(
        tenant_id=book.tenant_id, code="euro", kind="asset", currency="EUR", may_go_negative=True, by="ann", now=NOW
    )
    before = rows()
    lines = [PostingLine(euro.id, 1), book.line("cash", -1)]
    with pytest.raises(UnfitEntry, match="EUR, USDC"), transaction.atomic():
        services.post(tenant_id=book.tenant_id, reference="x", kind="x", lines=lines, by="ann", now=NOW)
    assert rows() == before


def test_an_account_of_another_tenant_is_as_good_as_none(book):
    other = open_book("bob")
    lines = [PostingLine(other.id("cash"), 1), book.line("cash", -1)]
    with pytest.raises(AccountNotFound), transaction.atomic():
        services.post(tenant_id=book.tenant_id, reference="x", kind="x", lines=lines, by="ann", now=NOW)
    assert other.account("cash").balance_minor == 0


def test_an_account_that_may_not_go_negative_does_not(book):
    before = rows()
    with pytest.raises(InsufficientFunds):
        book.move("too-much", "positions", "cash", 1_001)
    assert rows() == before
    book.move("all", "positions", "cash", 1_000)
    assert book.account("cash").available_minor == 0


def test_held_money_cannot_be_spent_by_others(book):
    book.hold("order:1", 600)
    with pytest.raises(InsufficientFunds):
        book.move("fill:2", "positions", "cash", 401)
    with pytest.raises(InsufficientFunds):
        book.hold("order:2", 401)
    book.hold("order:3", 400)
    account = book.account("cash")
    assert (account.balance_minor, account.held_minor, account.available_minor) == (1_000, 1_000, 0)


def test_a_captured_hold_pays_for_its_entry(book):
    hold = book.hold("order:1", 600)
    with transaction.atomic():
        ended = services.capture_hold(hold_id=hold.id, by="ann", now=NOW)
        book.move("fill:1", "positions", "cash", 550)
    account = book.account("cash")
    assert (ended.state, ended.ended_at) == ("captured", NOW)
    assert (account.balance_minor, account.held_minor) == (450, 0)


def test_ending_a_hold_twice_in_the_same_way_is_harmless(book):
    captured, voided = book.hold("order:1", 100), book.hold("order:2", 200)
    assert book.capture(captured.id) == book.capture(captured.id)
    assert book.void(voided.id) == book.void(voided.id)
    assert book.account("cash").held_minor == 0
    assert selectors.get_hold(captured.id).state == "captured"


def test_open_holds_are_listed_until_they_end(book):
    first, second = book.hold("order:1", 100), book.hold("order:2", 200)
    assert selectors.open_holds(book.id("cash")) == (first, second)
    book.capture(first.id)
    assert selectors.open_holds(book.id("cash")) == (second,)
    assert selectors.open_holds(book.id("fees")) == ()


def test_a_hold_ends_in_one_way_only(book):
    captured, voided = book.hold("order:1", 100), book.hold("order:2", 200)
    book.capture(captured.id)
    book.void(voided.id)
    before = rows()
    with pytest.raises(HoldEnded):
        book.void(captured.id)
    with pytest.raises(HoldEnded):
        book.capture(voided.id)
    assert rows() == before


def test_the_same_hold_twice_is_one_hold(book):
    first = book.hold("order:1", 100)
    assert book.hold("order:1", 100) == first
    assert book.account("cash").held_minor == 100
    with pytest.raises(ReferenceTaken):
        book.hold("order:1", 101)
    book.void(first.id)
    assert book.hold("order:1", 100).state == "voided"
    assert book.account("cash").held_minor == 0


@pytest.mark.parametrize("amount", [0, -1, 10**18])
def test_a_hold_needs_a_sensible_amount(book, amount):
    with pytest.raises(UnfitHold):
        book.hold("order:1", amount)
    assert Hold.objects.count() == 0


def test_a_reversal_mirrors_its_entry_once(book):
    entry = book.move("fill:1", "positions", "cash", 300)
    undone = book.reverse(entry.id, "undo:1")
    assert (undone.kind, undone.reverses_id) == ("reversal", entry.id)
    assert undone.lines == (book.line("positions", -300), book.line("cash", 300))
    before = rows()
    assert book.reverse(entry.id, "undo:1") == undone
    with pytest.raises(AlreadyReversed):
        book.reverse(entry.id, "undo:2")
    with pytest.raises(ReferenceTaken):
        book.reverse(entry.id, "fill:1")
    assert rows() == before
    assert book.balances() == {"cash": 1_000, "positions": 0, "fees": 0, "capital": -1_000}


def test_a_reversal_that_would_overdraw_is_refused(book):
    paid_in = book.move("in", "cash", "capital", 500)
    book.move("spent", "positions", "cash", 1_200)
    before = rows()
    with pytest.raises(InsufficientFunds):
        book.reverse(paid_in.id, "undo")
    assert rows() == before


def test_what_does_not_exist_is_not_found(book):
    with pytest.raises(EntryNotFound):
        book.reverse("ent_none", "x")
    with pytest.raises(HoldNotFound):
        book.void("hld_none")
    with pytest.raises(HoldNotFound):
        selectors.get_hold("hld_none")
    with pytest.raises(AccountNotFound):
        book.account("none")
    with pytest.raises(EntryNotFound):
        selectors.get_entry(tenant_id=book.tenant_id, reference="none")
    with pytest.raises(AccountNotFound), transaction.atomic():
        services.place_hold(account_id="acc_none", reference="x", amount_minor=1, by="ann", now=NOW)


def test_an_account_opens_once_and_never_differs(book):
    same = {"tenant_id": book.tenant_id, "code": "cash", "by": "bob", "now": NOW}
    before = rows()
    again = services.open_account(kind="asset", currency="USDC", may_go_negative=False, **same)
    assert again.id == book.id("cash")
    for kind, currency, may_go_negative in (("equity", "USDC", False), ("asset", "EUR", False), ("asset", "USDC", True)):
        with pytest.raises(AccountDiffers):
            services.open_account(kind=kind, currency=currency, may_go_negative=may_go_negative, **same)
    for kind, currency in (("asset", "XYZ"), ("purse", "USDC")):
        with pytest.raises(UnfitAccount):
            services.open_account(kind=kind, currency=currency, may_go_negative=False, **same)
    assert rows() == before


def test_the_services_that_are_parts_refuse_to_run_alone(book):
    for call in (
        lambda: services.post(tenant_id=book.tenant_id, reference="x", kind="x", lines=[], by="ann", now=NOW),
        lambda: services.reverse(entry_id="x", reference="x", by="ann", now=NOW),
        lambda: services.place_hold(account_id="x", reference="x", amount_minor=1, by="ann", now=NOW),
        lambda: services.capture_hold(hold_id="x", by="ann", now=NOW),
        lambda: services.void_hold(hold_id="x", by="ann", now=NOW),
    ):
        with pytest.raises(OutsideTransaction):
            call()


def test_the_trial_balance_has_two_equal_sides(book):
    book.move("fill:1", "positions", "cash", 300)
    assert selectors.trial_balance(book.tenant_id) == (
        TrialLine("capital", "equity", "USDC", 0, 1_000),
        TrialLine("cash", "asset", "USDC", 700, 0),
        TrialLine("fees", "expense", "USDC", 0, 0),
        TrialLine("positions", "asset", "USDC", 300, 0),
    )


def test_the_tables_show_accounts_and_entries_with_their_lines(book):
    book.hold("order:1", 100)
    (cash,) = selectors.accounts_table().filter(code="cash")
    assert (cash["balance_minor"], cash["held_minor"], cash["available_minor"]) == (1_000, 100, 900)
    (entry,) = selectors.entries_table().filter(tenant_id=book.tenant_id)
    assert entry["lines"] == [
        {"account_id": book.id("cash"), "code": "cash", "currency": "USDC", "amount_minor": 1_000},
        {"account_id": book.id("capital"), "code": "capital", "currency": "USDC", "amount_minor": -1_000},
    ]


def test_good_books_verify(book, capsys):
    book.hold("order:1", 100)
    open_book("euro", "EUR").move("opening", "cash", "capital", 7)
    call_command("verify_books", "--json")
    assert json.loads(capsys.readouterr().out) == {"is_balanced": True, "entries": 2, "accounts": 8, "differences": []}


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            "UPDATE ledger_account SET balance_minor = balance_minor + 1 WHERE code = 'cash'",
            "cash: balance 1001, postings sum to 1000",
        ),
        ("UPDATE ledger_account SET held_minor = 99 WHERE code = 'cash'", "cash: held 99, open holds sum to 100"),
        ("UPDATE ledger_hold SET state = 'voided', ended_at = now()", "cash: held 100, open holds sum to 0"),
        ("UPDATE ledger_posting SET amount_minor = 1001 WHERE amount_minor > 0", "all USDC postings sum to 1"),
        ("DELETE FROM ledger_posting WHERE amount_minor < 0", "1 lines in 1 currencies sum to 1000"),
        ("DELETE FROM ledger_posting", "0 lines in 0 currencies sum to 0"),
        ("UPDATE ledger_account SET currency = 'EUR' WHERE code = 'capital'", "2 lines in 2 currencies sum to 0"),
        ("UPDATE ledger_entry SET line_count = 3", "2 lines in 1 currencies sum to 0"),
        ("UPDATE ledger_account SET tenant_id = 'tnt_other' WHERE code = 'capital'", "2 lines in 1 currencies sum to 0"),
    ],
)
def test_books_that_were_edited_behind_the_desk_do_not_verify(book, edit, expected, capsys):
    book.hold("order:1", 100)
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(edit)
    report = selectors.verify_books()
    assert not report.is_balanced
    assert any(expected in difference for difference in report.differences), report.differences
    with pytest.raises(SystemExit) as left:
        call_command("verify_books")
    assert left.value.code == 1
