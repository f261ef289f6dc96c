"""`settle`: settle what has a result; `--dry-run` shows what it would pay."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import DeskCommand
from apps.markets import selectors as markets
from apps.settlement import selectors, services
from apps.tenants import selectors as tenants

BY = "command:settle"


class Command(DeskCommand):
    """Good is: what could be settled was."""

    help = "Settle markets whose outcome is known."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which market, and whether only to look."""
        parser.add_argument("--market", default="", help="only this market, also again after a reversal")
        parser.add_argument("--dry-run", action="store_true", help="show what would be paid and write nothing")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Settle, or show what settling would do."""
        market_id, now = options["market"], clock.now()
        if market_id:
            markets.get_market(market_id)
        if options["dry_run"]:
            return True, _planned(market_id)
        if market_id:
            made = services.settle_market(market_id=market_id, now=now, by=BY)
            return True, {"settled": len(made), "settlements": [settlement.id for settlement in made]}
        return True, {"settled": services.settle_due(now=now, by=BY), "waiting": selectors.unsettled()}


def _planned(market_id: str) -> dict[str, Any]:
    """Return what settling would pay, per market and position."""
    due = {tenant.id: _due(market_id, tenant.id) for tenant in tenants.active_tenants()}
    lines = [
        asdict(line)
        for tenant_id, market_ids in due.items()
        for each in market_ids
        for line in selectors.plan(market_id=each, tenant_id=tenant_id)
    ]
    return {"would_settle": sum(len(market_ids) for market_ids in due.values()), "lines": lines}


def _due(market_id: str, tenant_id: str) -> tuple[str, ...]:
    """Return what settling would touch: all that is due, or the one market when its newest result is not in force."""
    if not market_id:
        return selectors.markets_to_settle(tenant_id=tenant_id)
    result, settled = markets.latest_result(market_id), selectors.in_force(market_id=market_id, tenant_id=tenant_id)
    is_due = result is not None and (settled is None or settled.result_id != result.id)
    return (market_id,) if is_due else ()
