"""Recomputing the whole book from its postings, for all tenants.

Each question is one statement, and so sees one moment: services change balances and postings in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, F, Q, Sum, Value
from django.db.models.functions import Coalesce

from apps.ledger.models import Account, Entry, Posting

DIFFERENCES_MAX = 100


def differences() -> Iterator[str]:
    """Yield a sentence for everything that does not add up."""
    yield from _wrong_balances()
    yield from _wrong_holds()
    yield from _overdrawn()
    yield from _wrong_entries()
    yield from _wrong_totals()


def _wrong_balances() -> Iterator[str]:
    posted = Account.objects.annotate(posted=Coalesce(Sum("postings__amount_minor"), Value(0)))
    wrong = posted.exclude(balance_minor=F("posted")).order_by("id")
    for account_id, code, balance, recomputed in wrong.values_list("id", "code", "balance_minor", "posted")[:DIFFERENCES_MAX]:
        yield f"account {account_id} {code}: balance {balance}, postings sum to {int(recomputed)}"


def _wrong_holds() -> Iterator[str]:
    is_open = Q(holds__state="open")
    held = Account.objects.annotate(open_holds=Coalesce(Sum("holds__amount_minor", filter=is_open), Value(0)))
    wrong = held.exclude(held_minor=F("open_holds")).order_by("id")
    for account_id, code, kept, recomputed in wrong.values_list("id", "code", "held_minor", "open_holds")[:DIFFERENCES_MAX]:
        yield f"account {account_id} {code}: held {kept}, open holds sum to {int(recomputed)}"


def _overdrawn() -> Iterator[str]:
    wrong = Account.objects.filter(may_go_negative=False, balance_minor__lt=F("held_minor")).order_by("id")
    for account_id, code in wrong.values_list("id", "code")[:DIFFERENCES_MAX]:
        yield f"account {account_id} {code}: overdrawn"


def _wrong_entries() -> Iterator[str]:
    counted = Entry.objects.annotate(
        lines=Count("postings"),
        total=Coalesce(Sum("postings__amount_minor"), Value(0)),
        currencies=Count("postings__account__currency", distinct=True),
        strangers=Count("postings", filter=~Q(postings__account__tenant=F("tenant"))),
    )
    is_right = Q(lines=F("line_count"), lines__gte=2, total=0, currencies=1, strangers=0)
    wrong = counted.exclude(is_right).order_by("id")
    for entry_id, lines, total, currencies in wrong.values_list("id", "lines", "total", "currencies")[:DIFFERENCES_MAX]:
        yield f"entry {entry_id}: {lines} lines in {currencies} currencies sum to {int(total)}"


def _wrong_totals() -> Iterator[str]:
    totals = Posting.objects.values("account__currency").annotate(total=Sum("amount_minor"))
    for row in totals.exclude(total=0).order_by("account__currency"):
        yield f"all {row['account__currency']} postings sum to {int(row['total'])}"
