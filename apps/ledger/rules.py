"""What makes lines an entry. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apps.core.money import DECIMALS
from apps.ledger.errors import UnfitAccount, UnfitEntry
from apps.ledger.types import PostingLine

ACCOUNT_KINDS = ("asset", "liability", "equity", "income", "expense")
LINES_MAX = 1_000
AMOUNT_MINOR_MAX = 10**17  # far above any book of ours, and a thousand such lines still fit into 64 bits per account


def check_account(kind: str, currency: str) -> None:
    """Check that accounts of this kind and currency are kept. Raises UnfitAccount."""
    if kind not in ACCOUNT_KINDS:
        raise UnfitAccount(f"no account is of the kind {kind!r}")
    if currency not in DECIMALS:
        raise UnfitAccount(f"no books are kept in {currency!r}")


def check_lines(lines: Sequence[PostingLine]) -> None:
    """Check what can be told from the lines alone. Raises UnfitEntry."""
    if not 2 <= len(lines) <= LINES_MAX:
        raise UnfitEntry(f"an entry has 2 to {LINES_MAX} lines, not {len(lines)}")
    if any(line.amount_minor == 0 for line in lines):
        raise UnfitEntry("a line moves nothing")
    if any(abs(line.amount_minor) > AMOUNT_MINOR_MAX for line in lines):
        raise UnfitEntry(f"a line moves more than {AMOUNT_MINOR_MAX} minor units")
    total = sum(line.amount_minor for line in lines)
    if total != 0:
        raise UnfitEntry(f"debits exceed credits by {total} minor units")


def check_currency(currency_of: Mapping[str, str]) -> None:
    """Check that all accounts of an entry keep the same currency. Raises UnfitEntry."""
    currencies = sorted(set(currency_of.values()))
    if len(currencies) > 1:
        raise UnfitEntry(f"one entry has one currency, not {', '.join(currencies)}")


def changes(lines: Sequence[PostingLine]) -> dict[str, int]:
    """Return by how much each account's balance changes, by account in order of id."""
    net: dict[str, int] = {}
    for line in sorted(lines):
        net[line.account_id] = net.get(line.account_id, 0) + line.amount_minor
    return net


def mirror(lines: Sequence[PostingLine]) -> tuple[PostingLine, ...]:
    """Return the lines that undo `lines`."""
    return tuple(PostingLine(line.account_id, -line.amount_minor) for line in lines)


def is_same(one: Sequence[PostingLine], other: Sequence[PostingLine]) -> bool:
    """Whether two entries move the same amounts on the same accounts, in whatever order."""
    return sorted(one) == sorted(other)
