"""Reading the book."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from apps.ledger import books, presenting
from apps.ledger.errors import AccountNotFound, EntryNotFound, HoldNotFound
from apps.ledger.models import Account, Entry, Hold, Posting
from apps.ledger.types import AccountView, BooksReport, EntryView, HoldView, TrialLine

ACCOUNT_FIELDS = ("id", "tenant_id", "code", "kind", "currency", "balance_minor", "held_minor", "may_go_negative", "created_at")
ENTRY_FIELDS = ("id", "tenant_id", "reference", "kind", "reverses_id", "booked_at", "by")


def get_account(*, tenant_id: str, code: str) -> AccountView:
    """Return one account. Raises AccountNotFound."""
    row = Account.objects.filter(tenant_id=tenant_id, code=code).first()
    if row is None:
        raise AccountNotFound(f"tenant {tenant_id} has no account {code}")
    return presenting.account(row)


def accounts(tenant_id: str) -> tuple[AccountView, ...]:
    """Return all accounts of a tenant by code."""
    return tuple(presenting.account(row) for row in Account.objects.filter(tenant_id=tenant_id).order_by("code"))


def get_entry(*, tenant_id: str, reference: str) -> EntryView:
    """Return the entry booked under a reference. Raises EntryNotFound."""
    row = Entry.objects.filter(tenant_id=tenant_id, reference=reference).first()
    if row is None:
        raise EntryNotFound(f"tenant {tenant_id} has no entry {reference}")
    return presenting.entry(row, presenting.lines_of(row))


def get_hold(hold_id: str) -> HoldView:
    """Return a hold. Raises HoldNotFound."""
    row = Hold.objects.filter(id=hold_id).first()
    if row is None:
        raise HoldNotFound(f"no hold {hold_id}")
    return presenting.hold(row)


def open_holds(account_id: str) -> tuple[HoldView, ...]:
    """Return the holds that are open on an account, oldest first."""
    rows = Hold.objects.filter(account_id=account_id, state="open").order_by("created_at", "id")
    return tuple(presenting.hold(row) for row in rows)


def trial_balance(tenant_id: str) -> tuple[TrialLine, ...]:
    """Return the balances of a tenant by code, each on its side; per currency both sides have the same sum."""
    return tuple(
        TrialLine(
            code=row.code,
            kind=row.kind,
            currency=row.currency,
            debit_minor=max(row.balance_minor, 0),
            credit_minor=max(-row.balance_minor, 0),
        )
        for row in Account.objects.filter(tenant_id=tenant_id).order_by("code")
    )


def verify_books() -> BooksReport:
    """Recompute balances, holds and entries of all tenants from the postings. Lists a hundred differences at most."""
    found = tuple(islice(books.differences(), books.DIFFERENCES_MAX))
    return BooksReport(is_balanced=not found, entries=Entry.objects.count(), accounts=Account.objects.count(), differences=found)


def accounts_table() -> QuerySet[Account, dict[str, Any]]:
    """Return all accounts as dicts with what is available, to filter and page."""
    available = Account.objects.annotate(available_minor=F("balance_minor") - F("held_minor"))
    rows: QuerySet[Account, dict[str, Any]] = available.order_by("tenant_id", "code").values(*ACCOUNT_FIELDS, "available_minor")
    return rows


def entries_table() -> QuerySet[Entry, dict[str, Any]]:
    """Return all entries as dicts, newest first, to filter and page.

    `lines` is a list of {account_id, code, currency, amount_minor} in the order in which they were booked.
    """
    line = JSONObject(
        account_id=F("account_id"), code=F("account__code"), currency=F("account__currency"), amount_minor=F("amount_minor")
    )
    postings = Posting.objects.filter(entry_id=OuterRef("id")).order_by("id").values(line=line)
    with_lines = Entry.objects.annotate(lines=ArraySubquery(postings)).order_by("-booked_at", "-id")
    rows: QuerySet[Entry, dict[str, Any]] = with_lines.values(*ENTRY_FIELDS, "lines")
    return rows
