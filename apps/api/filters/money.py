"""Filters of portfolios, orders, books and settlements. Fields are named as in the tables, through their relations."""

from __future__ import annotations

from apps.api.filters.base import Filters, before, of_id, one_of, same, since, truth


class PortfolioFilter(Filters):
    """By tenant and kind."""

    tenant = of_id("tenant_id")
    kind = one_of("main", "shadow")


class PositionFilter(Filters):
    """By portfolio, market and state."""

    tenant = of_id("portfolio__tenant_id")
    portfolio = of_id("portfolio_id")
    portfolio_kind = one_of("main", "shadow", field="portfolio__kind")
    market = of_id("market_id")
    state = one_of("open", "closed")


class OrderFilter(Filters):
    """By portfolio, market and state."""

    tenant = of_id("tenant_id")
    portfolio = of_id("portfolio_id")
    market = of_id("market_id")
    signal = of_id("signal_id")
    state = one_of("accepted", "sending", "sent", "filled", "partly_filled", "rejected", "cancelled", "unknown")
    side = one_of("buy", "sell")
    created_since = since("created_at")
    created_before = before("created_at")


class FillFilter(Filters):
    """By order and market."""

    tenant = of_id("order__tenant_id")
    order = of_id("order_id")
    market = of_id("order__market_id")
    filled_since = since("filled_at")
    filled_before = before("filled_at")


class LimitsFilter(Filters):
    """By tenant."""

    tenant = of_id("tenant_id")


class AccountFilter(Filters):
    """By tenant and code."""

    tenant = of_id("tenant_id")
    code = same()
    kind = one_of("asset", "liability", "equity", "income", "expense")


class EntryFilter(Filters):
    """By tenant, reference and time."""

    tenant = of_id("tenant_id")
    reference = same()
    kind = same()
    account = of_id("postings__account_id", is_distinct=True)
    booked_since = since("booked_at")
    booked_before = before("booked_at")


class SettlementFilter(Filters):
    """By tenant, market and whether it was reversed."""

    tenant = of_id("tenant_id")
    market = of_id("market_id")
    kind = one_of("final", "void")
    is_reversed = truth("reversed_at", lookup="isnull", is_negated=True)
    settled_since = since("settled_at")
    settled_before = before("settled_at")
