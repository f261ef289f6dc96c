"""Writing the book: accounts, entries, holds.

The first action of a transaction on a tenant's book locks that book until the transaction ends, then the accounts
concerned in the order of their ids, before anything is read that a decision rests on. So concurrent writers never
overdraw an account, and two transactions of several actions each never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import IntegrityError
from django.db import transaction as django_transaction
from django.db.models import F

from apps.audit import services as audit
from apps.core.db import lock_for_transaction, transaction, transaction_required
from apps.ledger import presenting, rules
from apps.ledger.errors import (
    AccountDiffers,
    AccountNotFound,
    AlreadyReversed,
    EntryNotFound,
    HoldEnded,
    HoldNotFound,
    InsufficientFunds,
    ReferenceTaken,
    UnfitHold,
)
from apps.ledger.models import Account, Entry, Hold, Posting
from apps.ledger.types import AccountView, EntryView, HoldView, PostingLine

REVERSAL = "reversal"


@transaction
def open_account(
    *, tenant_id: str, code: str, kind: str, currency: str, may_go_negative: bool, by: str, now: datetime
) -> AccountView:
    """Open the account, or return it when it is open already. Raises AccountDiffers, UnfitAccount."""
    rules.check_account(kind, currency)
    given = {"kind": kind, "currency": currency, "may_go_negative": may_go_negative}
    account, is_new = Account.objects.get_or_create(tenant_id=tenant_id, code=code, defaults=given | {"created_at": now})
    for name, value in given.items():
        if getattr(account, name) != value:
            raise AccountDiffers(f"account {code} has {name} {getattr(account, name)!r}, not {value!r}")
    if is_new:
        told = given | {"code": code}
        audit.record(action="ledger.account_opened", subject=account.id, by=by, now=now, tenant=tenant_id, detail=told)
    return presenting.account(account)


@transaction_required
def post(*, tenant_id: str, reference: str, kind: str, lines: Sequence[PostingLine], by: str, now: datetime) -> EntryView:
    """Book one balanced entry; the same reference with the same content returns the first entry and books nothing.

    Raises UnfitEntry, AccountNotFound, InsufficientFunds, and ReferenceTaken when the reference stands for other content.
    """
    entry = Entry(tenant_id=tenant_id, reference=reference, kind=kind, line_count=len(lines), booked_at=now, by=by)
    return _book(entry, lines)


@transaction_required
def reverse(*, entry_id: str, reference: str, by: str, now: datetime) -> EntryView:
    """Book the mirror of an entry, once. Raises EntryNotFound, AlreadyReversed, ReferenceTaken, InsufficientFunds."""
    first = Entry.objects.filter(id=entry_id).first()
    if first is None:
        raise EntryNotFound(f"no entry {entry_id}")
    mirrored = rules.mirror(presenting.lines_of(first))
    entry = Entry(
        tenant_id=first.tenant_id,
        reference=reference,
        kind=REVERSAL,
        line_count=first.line_count,
        reverses=first,
        booked_at=now,
        by=by,
    )
    return _book(entry, mirrored)


@transaction_required
def place_hold(*, account_id: str, reference: str, amount_minor: int, by: str, now: datetime) -> HoldView:
    """Set money aside; the same reference and amount returns the first hold, whatever became of it.

    Raises UnfitHold, AccountNotFound, InsufficientFunds, ReferenceTaken.
    """
    if not 0 < amount_minor <= rules.AMOUNT_MINOR_MAX:
        raise UnfitHold(f"a hold of {amount_minor} minor units")
    account = _locked_account(account_id)
    earlier = Hold.objects.filter(account=account, reference=reference).first()
    if earlier is not None:
        if earlier.amount_minor != amount_minor:
            raise ReferenceTaken(f"hold {reference} is of {earlier.amount_minor}, not {amount_minor}")
        return presenting.hold(earlier)
    _refuse_overdraft(account, -amount_minor)
    hold = Hold.objects.create(account=account, reference=reference, amount_minor=amount_minor, created_at=now)
    Account.objects.filter(id=account.id).update(held_minor=F("held_minor") + amount_minor)
    _tell_of_hold("ledger.hold_placed", hold, account, by=by, now=now)
    return presenting.hold(hold)


@transaction_required
def capture_hold(*, hold_id: str, by: str, now: datetime) -> HoldView:
    """Release the money for an entry that the caller books in the same transaction. Raises HoldNotFound, HoldEnded."""
    return _end_hold(hold_id, "captured", by=by, now=now)


@transaction_required
def void_hold(*, hold_id: str, by: str, now: datetime) -> HoldView:
    """Release the money without any entry. Raises HoldNotFound, HoldEnded."""
    return _end_hold(hold_id, "voided", by=by, now=now)


def _book(entry: Entry, lines: Sequence[PostingLine]) -> EntryView:
    rules.check_lines(lines)
    changes = rules.changes(lines)
    accounts = _locked_accounts(entry.tenant_id, changes)
    rules.check_currency({account.id: account.currency for account in accounts})
    earlier = _booked_before(entry, lines)
    if earlier is not None:
        return earlier
    for account in accounts:
        _refuse_overdraft(account, changes[account.id])
    if not _could_insert(entry):
        # Another transaction took the reference on other accounts after we looked.
        raise ReferenceTaken(f"reference {entry.reference} was taken meanwhile")
    Posting.objects.bulk_create(
        Posting(entry=entry, account_id=line.account_id, amount_minor=line.amount_minor) for line in lines
    )
    for account_id, change in changes.items():
        Account.objects.filter(id=account_id).update(balance_minor=F("balance_minor") + change)
    _tell_of_entry(entry, lines)
    return presenting.entry(entry, lines)


def _booked_before(entry: Entry, lines: Sequence[PostingLine]) -> EntryView | None:
    earlier = Entry.objects.filter(tenant_id=entry.tenant_id, reference=entry.reference).first()
    if earlier is not None:
        known = presenting.lines_of(earlier)
        is_same = (earlier.kind, earlier.reverses_id) == (entry.kind, entry.reverses_id) and rules.is_same(known, lines)
        if not is_same:
            raise ReferenceTaken(f"reference {entry.reference} stands for entry {earlier.id} with other content")
        return presenting.entry(earlier, known)
    if entry.reverses_id and Entry.objects.filter(reverses_id=entry.reverses_id).exists():
        raise AlreadyReversed(f"entry {entry.reverses_id} was reversed under another reference")
    return None


def _could_insert(entry: Entry) -> bool:
    try:
        with django_transaction.atomic():
            entry.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _locked_accounts(tenant_id: str, ids: Iterable[str]) -> list[Account]:
    _lock_book(tenant_id)
    wanted = set(ids)
    locked = Account.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, id__in=wanted).order_by("id")
    accounts = list(locked)
    missing = wanted - {account.id for account in accounts}
    if missing:
        raise AccountNotFound(f"no account {', '.join(sorted(missing))} of tenant {tenant_id}")
    return accounts


def _locked_account(account_id: str) -> Account:
    tenant_id = Account.objects.filter(id=account_id).values_list("tenant_id", flat=True).first()
    if tenant_id is None:
        raise AccountNotFound(f"no account {account_id}")
    return _locked_accounts(tenant_id, [account_id])[0]


def _lock_book(tenant_id: str) -> None:
    lock_for_transaction(f"ledger:{tenant_id}")


def _refuse_overdraft(account: Account, change_minor: int) -> None:
    available_minor = account.balance_minor - account.held_minor
    if change_minor < 0 and not account.may_go_negative and available_minor + change_minor < 0:
        raise InsufficientFunds(f"account {account.code}: {available_minor} available, {-change_minor} needed")


def _end_hold(hold_id: str, state: str, *, by: str, now: datetime) -> HoldView:
    found = Hold.objects.filter(id=hold_id).first()
    if found is None:
        raise HoldNotFound(f"no hold {hold_id}")
    account = _locked_account(found.account_id)
    hold = Hold.objects.get(id=hold_id)  # read again: it may have ended while we waited for the lock
    if hold.state == state:
        return presenting.hold(hold)
    if hold.state != "open":
        raise HoldEnded(f"hold {hold.reference} is {hold.state} and cannot be {state}")
    hold.state, hold.ended_at = state, now
    hold.save(update_fields=["state", "ended_at"])
    Account.objects.filter(id=account.id).update(held_minor=F("held_minor") - hold.amount_minor)
    _tell_of_hold(f"ledger.hold_{state}", hold, account, by=by, now=now)
    return presenting.hold(hold)


def _tell_of_entry(entry: Entry, lines: Sequence[PostingLine]) -> None:
    detail = {
        "reference": entry.reference,
        "kind": entry.kind,
        "reverses": entry.reverses_id,
        "lines": [[line.account_id, line.amount_minor] for line in lines],
    }
    audit.record(
        action="ledger.entry_booked", subject=entry.id, by=entry.by, now=entry.booked_at, tenant=entry.tenant_id, detail=detail
    )


def _tell_of_hold(action: str, hold: Hold, account: Account, *, by: str, now: datetime) -> None:
    detail = {"account": account.id, "reference": hold.reference, "amount_minor": hold.amount_minor}
    audit.record(action=action, subject=hold.id, by=by, now=now, tenant=account.tenant_id, detail=detail)
