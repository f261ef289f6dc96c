"""Make what a new desk needs: sources, demo tenant, portfolios, limits, a staff user, the schedule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings

from apps.accounts import services as accounts
from apps.core import clock, ids
from apps.core.commands import DeskCommand
from apps.core.money import to_minor
from apps.markets import services as markets
from apps.portfolio import services as portfolio
from apps.risk import services as risk
from apps.sources import selectors
from apps.sources import services as sources
from apps.tenants import services as tenants
from tasks.install import install_schedule

ACTOR = "prepare_desk"
TENANT, TENANT_NAME, CURRENCY = "demo", "Demo desk", "USDC"
STAFF_USER = "staff"
PASSWORD_BYTES = 12


class Command(DeskCommand):
    """Prepares the desk; running it again changes nothing that is there."""

    help = "Make what a new desk needs; safe to run again."

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Do it, and return what was made."""
        now = clock.now()
        sources.ensure_sources(by=ACTOR, now=now)
        markets.ensure_partitions(by=ACTOR, now=now)
        tenant_id = _prepare_tenant(now)
        staff = accounts.ensure_staff_user(
            username=STAFF_USER, password=ids.fresh_token(PASSWORD_BYTES), tenant_id=tenant_id, role="owner", by=ACTOR, now=now
        )
        on = {view.slug for view in selectors.list_sources() if view.state != "off"}
        symbols = {"yahoo": settings.INSTRUMENT_SYMBOLS, "binance": settings.CRYPTO_SYMBOLS}
        changed = install_schedule(speed=settings.SCHEDULE_SPEED, symbols=symbols, sources_on=on)
        figures = {"tenant": TENANT, "staff_user": staff.username, "schedules": changed}
        return True, figures | ({"staff_password": staff.password} if staff.password else {})


def _prepare_tenant(now: datetime) -> str:
    tenant = tenants.ensure_tenant(slug=TENANT, name=TENANT_NAME, currency=CURRENCY, by=ACTOR, now=now)
    capital_minor = to_minor(settings.PAPER_CAPITAL, CURRENCY)
    portfolio.ensure_portfolios(
        tenant_id=tenant.id, capital_minor={"main": capital_minor, "shadow": capital_minor}, by=ACTOR, now=now
    )
    risk.ensure_limits(tenant_id=tenant.id, by=ACTOR, now=now)
    return tenant.id
