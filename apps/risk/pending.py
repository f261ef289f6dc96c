"""Money that orders may still take: seen through the ledger's holds, never through orders."""

from __future__ import annotations

from apps.ledger import selectors as ledger
from apps.ledger.types import AccountView
from apps.markets import selectors as markets
from apps.portfolio.exposure import Stake
from apps.risk.models import Decision
from apps.risk.types import decision_of_hold


def pending_stakes(cash: AccountView) -> tuple[Stake, ...]:
    """Return the money at risk in orders that are not filled yet: open holds on the cash account, by their decisions."""
    open_holds = ledger.accounts_table().filter(id=cash.id, holds__state="open").order_by()
    holds = open_holds.values_list("holds__reference", "holds__amount_minor")
    held = {decision_of_hold(reference): amount_minor for reference, amount_minor in holds}
    decisions = tuple(Decision.objects.filter(id__in=held.keys()).only("id", "market_id", "outcome_id"))
    known = markets.markets_by_ids({decision.market_id for decision in decisions})
    return tuple(
        Stake(decision.outcome_id, known[decision.market_id].event_id, known[decision.market_id].category, held[decision.id])
        for decision in decisions
    )
