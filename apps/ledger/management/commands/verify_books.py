"""`verify_books`: recompute the book from its postings."""

from __future__ import annotations

from typing import Any

from apps.core.commands import DeskCommand
from apps.ledger import selectors


class Command(DeskCommand):
    """Recompute every balance of every tenant."""

    help = "Recompute all balances and holds from the postings; exit 0 when the books balance, 1 when not."

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Verify and return the figures."""
        report = selectors.verify_books()
        return report.is_balanced, report.as_figures()
