"""`risk status|halt|rearm`: where the tenants stand, and the kill switch."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import DeskCommand
from apps.risk import selectors, services
from apps.tenants import selectors as tenants
from apps.tenants.types import TenantView

BY = "command:risk"
# Who must stop the desk at once is not asked for words first.
NO_REASON = "by hand, no reason given"


class Command(DeskCommand):
    """Good is: no lock in force."""

    help = "Show where tenants stand against their limits, stop their trading, or let it go on."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what to do, for whom, and why."""
        parser.add_argument("verb", choices=("status", "halt", "rearm"))
        parser.add_argument("--tenant", default="", help="slug of one tenant; without it all active ones")
        parser.add_argument("--reason", default="", help="why; kept with the stop and in the audit log")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Do it for each tenant and show where it stands then."""
        verb, reason, now = options["verb"], options["reason"].strip() or NO_REASON, clock.now()
        chosen = (tenants.tenant_by_slug(options["tenant"]),) if options["tenant"] else tenants.active_tenants()
        for tenant in chosen:
            _act(verb, tenant, reason, now=now)
        figures = {tenant.slug: _figures(tenant, now=now) for tenant in chosen}
        is_good = verb == "halt" or not any(of_tenant["locks"] for of_tenant in figures.values())
        return is_good, figures


def _act(verb: str, tenant: TenantView, reason: str, *, now: datetime) -> None:
    if verb == "halt":
        services.halt(tenant_id=tenant.id, reason=reason, by=BY, now=now)
    if verb == "rearm":
        services.rearm(tenant_id=tenant.id, reason=reason, by=BY, now=now)


def _figures(tenant: TenantView, *, now: datetime) -> dict[str, Any]:
    return asdict(selectors.status(tenant_id=tenant.id, now=now))
