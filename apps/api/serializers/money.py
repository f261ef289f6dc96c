"""What the API shows of portfolios, orders, books and settlements."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.api.fields import MoneyText, PlainDecimal

Rows = serializers.Serializer[dict[str, Any]]


class PortfolioSerializer(Rows):
    """A tenant's main portfolio or its shadow."""

    id = serializers.CharField()
    tenant_id = serializers.CharField()
    kind = serializers.CharField()
    currency = serializers.CharField()
    created_at = serializers.DateTimeField()


class PositionSerializer(Rows):
    """What a portfolio holds of one outcome."""

    id = serializers.CharField()
    tenant_id = serializers.CharField()
    portfolio_id = serializers.CharField()
    portfolio_kind = serializers.CharField()
    market_id = serializers.CharField()
    question = serializers.CharField()
    outcome_id = serializers.CharField()
    outcome_label = serializers.CharField()
    state = serializers.CharField()
    currency = serializers.CharField()
    units = PlainDecimal()
    cost = MoneyText("cost_minor")
    fees = MoneyText("fees_minor")
    realised = MoneyText("realised_minor")
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class OrderSerializer(Rows):
    """One order."""

    id = serializers.CharField()
    tenant_id = serializers.CharField()
    portfolio_id = serializers.CharField()
    portfolio_kind = serializers.CharField()
    market_id = serializers.CharField()
    question = serializers.CharField()
    outcome_id = serializers.CharField()
    outcome_label = serializers.CharField()
    decision_id = serializers.CharField()
    signal_id = serializers.CharField()
    side = serializers.CharField()
    currency = serializers.CharField()
    stake = MoneyText("stake_minor", allow_null=True)
    units = PlainDecimal(allow_null=True)
    limit_price = PlainDecimal(allow_null=True)
    venue = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField()
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    by = serializers.CharField()


class FillSerializer(Rows):
    """What the venue gave for an order, with the evidence."""

    id = serializers.CharField()
    order_id = serializers.CharField()
    tenant_id = serializers.CharField()
    portfolio_id = serializers.CharField()
    portfolio_kind = serializers.CharField()
    market_id = serializers.CharField()
    question = serializers.CharField()
    outcome_id = serializers.CharField()
    outcome_label = serializers.CharField()
    side = serializers.CharField()
    venue_fill_id = serializers.CharField()
    currency = serializers.CharField()
    units = PlainDecimal()
    price = PlainDecimal(help_text="average")
    notional = MoneyText("notional_minor")
    fee = MoneyText("fee_minor")
    is_depth_limited = serializers.BooleanField()
    evidence = serializers.JSONField()
    filled_at = serializers.DateTimeField()


class LimitsSerializer(Rows):
    """The hard limits of one tenant."""

    id = serializers.CharField()
    tenant_id = serializers.CharField()
    currency = serializers.CharField()
    position_size_max = MoneyText("position_size_max_minor")
    positions_open_max = serializers.IntegerField()
    shadow_positions_open_max = serializers.IntegerField()
    daily_loss_max = MoneyText("daily_loss_max_minor")
    concentration_max_share = serializers.FloatField()
    trade_max = MoneyText("trade_max_minor")
    drawdown_max_share = serializers.FloatField()
    category_max_share = serializers.FloatField()
    price_age_max_s = serializers.FloatField()
    spread_max = serializers.FloatField()
    close_min_s = serializers.FloatField()
    updated_at = serializers.DateTimeField()
    updated_by = serializers.CharField()


class AccountSerializer(Rows):
    """One account of the book; the balance is debit minus credit."""

    id = serializers.CharField()
    tenant_id = serializers.CharField()
    code = serializers.CharField()
    kind = serializers.CharField()
    currency = serializers.CharField()
    balance = MoneyText("balance_minor")
    held = MoneyText("held_minor")
    available = MoneyText("available_minor")
    may_go_negative = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class LineSerializer(Rows):
    """One posting: positive is debit, negative is credit."""

    account_id = serializers.CharField()
    code = serializers.CharField()
    currency = serializers.CharField()
    amount = MoneyText("amount_minor")


class EntrySerializer(Rows):
    """One balanced booking with its lines."""

    id = serializers.CharField()
    tenant_id = serializers.CharField()
    reference = serializers.CharField()
    kind = serializers.CharField()
    reverses_id = serializers.CharField(allow_null=True)
    booked_at = serializers.DateTimeField()
    by = serializers.CharField()
    lines = LineSerializer(many=True)


class SettlementSerializer(Rows):
    """The settling of one market for one tenant by one revision of its result."""

    id = serializers.CharField()
    tenant_id = serializers.CharField()
    market_id = serializers.CharField()
    result_id = serializers.CharField()
    revision = serializers.IntegerField()
    kind = serializers.CharField()
    currency = serializers.CharField()
    paid = MoneyText("paid_minor")
    realised = MoneyText("realised_minor")
    settled_at = serializers.DateTimeField()
    reversed_at = serializers.DateTimeField(allow_null=True)
    reversed_reason = serializers.CharField()
    by = serializers.CharField()
