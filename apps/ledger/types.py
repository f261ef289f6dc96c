"""What crosses this room's threshold. Amounts are minor units of the account's currency; debit is positive."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class PostingLine:
    """One side of an entry: a debit when positive, a credit when negative."""

    account_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account as it stands; `available_minor` is the balance without what is held."""

    id: str
    tenant_id: str
    code: str
    kind: str
    currency: str
    balance_minor: int
    held_minor: int
    available_minor: int


@dataclass(frozen=True, slots=True)
class EntryView:
    """One booked entry with its lines in the order in which they were given."""

    id: str
    tenant_id: str
    reference: str
    kind: str
    lines: tuple[PostingLine, ...]
    reverses_id: str | None
    booked_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class HoldView:
    """Money set aside: open, captured or voided."""

    id: str
    account_id: str
    reference: str
    amount_minor: int
    state: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One account in the trial balance: its balance stands on one side, the other is zero."""

    code: str
    kind: str
    currency: str
    debit_minor: int
    credit_minor: int


@dataclass(frozen=True, slots=True)
class BooksReport:
    """What recomputing every balance from the postings found."""

    is_balanced: bool
    entries: int
    accounts: int
    differences: tuple[str, ...]

    def as_figures(self) -> dict[str, Any]:
        """Return the fields for a command to print."""
        return asdict(self) | {"differences": list(self.differences)}
