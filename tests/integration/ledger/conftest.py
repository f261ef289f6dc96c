"""One tenant with a small chart of accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from django.db import transaction

from apps.ledger import selectors, services
from apps.ledger.types import AccountView, PostingLine
from apps.tenants.models import Tenant

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)


@dataclass
class Book:
    """A tenant's book with short words for its actions."""

    tenant_id: str

    def account(self, code: str) -> AccountView:
        return selectors.get_account(tenant_id=self.tenant_id, code=code)

    def id(self, code: str) -> str:
        return self.account(code).id

    def line(self, code: str, amount_minor: int) -> PostingLine:
        return PostingLine(self.id(code), amount_minor)

    def move(self, reference: str, to: str, out_of: str, amount_minor: int, kind: str = "move"):
        lines = [self.line(to, amount_minor), self.line(out_of, -amount_minor)]
        with transaction.atomic():
            return services.post(tenant_id=self.tenant_id, reference=reference, kind=kind, lines=lines, by="ann", now=NOW)

    def reverse(self, entry_id: str, reference: str):
        with transaction.atomic():
            return services.reverse(entry_id=entry_id, reference=reference, by="ann", now=NOW)

    def hold(self, reference: str, amount_minor: int, code: str = "cash"):
        with transaction.atomic():
            return services.place_hold(
                account_id=self.id(code), reference=reference, amount_minor=amount_minor, by="ann", now=NOW
            )

    def capture(self, hold_id: str):
        with transaction.atomic():
            return services.capture_hold(hold_id=hold_id, by="ann", now=NOW)

    def void(self, hold_id: str):
        with transaction.atomic():
            return services.void_hold(hold_id=hold_id, by="ann", now=NOW)

    def balances(self) -> dict[str, int]:
        return {account.code: account.balance_minor for account in selectors.accounts(self.tenant_id)}


def open_book(slug: str, currency: str = "USDC") -> Book:
    """Open a tenant with cash (never negative), positions, fees and capital."""
    tenant = Tenant.objects.create(slug=slug, name=slug, currency=currency, created_at=NOW)
    for code, kind in (("cash", "asset"), ("positions", "asset"), ("fees", "expense"), ("capital", "equity")):
        services.open_account(
            tenant_id=tenant.id,
            code=code,
            kind=kind,
            currency=currency,
            may_go_negative=code != "cash",
            by="ann",
            now=NOW,
        )
    return Book(tenant.id)


@pytest.fixture
def book(db) -> Book:
    """Give a book whose cash is 1,000 minor units."""
    book = open_book("alice")
    book.move("opening", "cash", "capital", 1_000)
    return book


@pytest.fixture
def committed_book(transactional_db) -> Book:
    """Give the same book, committed, for tests with several connections."""
    book = open_book("alice")
    book.move("opening", "cash", "capital", 1_000)
    return book
