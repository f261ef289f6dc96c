"""Turning rows into the frozen types that leave this room."""

from __future__ import annotations

from collections.abc import Sequence

from apps.ledger.models import Account, Entry, Hold
from apps.ledger.types import AccountView, EntryView, HoldView, PostingLine


def account(row: Account) -> AccountView:
    """Return an account as it stood when its row was read."""
    return AccountView(
        id=row.id,
        tenant_id=row.tenant_id,
        code=row.code,
        kind=row.kind,
        currency=row.currency,
        balance_minor=row.balance_minor,
        held_minor=row.held_minor,
        available_minor=row.balance_minor - row.held_minor,
    )


def entry(row: Entry, lines: Sequence[PostingLine]) -> EntryView:
    """Return an entry with its lines."""
    return EntryView(
        id=row.id,
        tenant_id=row.tenant_id,
        reference=row.reference,
        kind=row.kind,
        lines=tuple(lines),
        reverses_id=row.reverses_id,
        booked_at=row.booked_at,
        by=row.by,
    )


def lines_of(row: Entry) -> tuple[PostingLine, ...]:
    """Read the lines of an entry in the order in which they were given."""
    pairs = row.postings.order_by("id").values_list("account_id", "amount_minor")
    return tuple(PostingLine(account_id, amount_minor) for account_id, amount_minor in pairs)


def hold(row: Hold) -> HoldView:
    """Return a hold."""
    return HoldView(
        id=row.id,
        account_id=row.account_id,
        reference=row.reference,
        amount_minor=row.amount_minor,
        state=row.state,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
