"""What the API shows of forecasts, scores and signals."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.api.fields import PlainDecimal

Rows = serializers.Serializer[dict[str, Any]]


class ForecastSerializer(Rows):
    """One opinion at one moment about the first outcome (binary) or the price (linear) of a market."""

    id = serializers.CharField()
    market_id = serializers.CharField()
    outcome_id = serializers.CharField()
    question = serializers.CharField(source="market__question")
    as_of = serializers.DateTimeField()
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class
    category = serializers.CharField()
    horizon = serializers.CharField()
    model = serializers.CharField()
    p_model = PlainDecimal(allow_null=True)
    p_price = PlainDecimal(allow_null=True)
    p_base = PlainDecimal(allow_null=True)
    p_final = PlainDecimal(allow_null=True)
    p_low = PlainDecimal(allow_null=True)
    p_high = PlainDecimal(allow_null=True)
    bid = PlainDecimal(allow_null=True)
    ask = PlainDecimal(allow_null=True)
    price_age_s = serializers.FloatField(allow_null=True)
    is_price_stale = serializers.BooleanField()
    value = PlainDecimal(allow_null=True)
    value_low = PlainDecimal(allow_null=True)
    value_high = PlainDecimal(allow_null=True)
    value_price = PlainDecimal(allow_null=True)
    scheduled_close_at = serializers.DateTimeField()
    inputs_digest = serializers.CharField()
    commitment = serializers.CharField(help_text="digest of the batch, in the audit log before the outcome is known")
    weights_id = serializers.CharField(allow_null=True)


class ScoreSerializer(Rows):
    """The judgement of one forecast against the outcome and the price."""

    forecast_id = serializers.CharField()
    result_id = serializers.CharField()
    market_id = serializers.CharField()
    question = serializers.CharField(source="market__question")
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class
    category = serializers.CharField()
    horizon = serializers.CharField()
    model = serializers.CharField(source="forecast__model")
    as_of = serializers.DateTimeField(source="forecast__as_of")
    p_final = PlainDecimal(source="forecast__p_final", allow_null=True)
    p_price = PlainDecimal(source="forecast__p_price", allow_null=True)
    payout = PlainDecimal()
    brier = serializers.FloatField(allow_null=True)
    brier_price = serializers.FloatField(allow_null=True)
    log_loss = serializers.FloatField(allow_null=True)
    log_loss_price = serializers.FloatField(allow_null=True)
    log_loss_model = serializers.FloatField(allow_null=True)
    log_loss_base = serializers.FloatField(allow_null=True)
    error = serializers.FloatField(allow_null=True)
    error_price = serializers.FloatField(allow_null=True)
    scored_at = serializers.DateTimeField()


class SignalSerializer(Rows):
    """What a model would do, with its edge and the gate's answer."""

    id = serializers.CharField()
    forecast_id = serializers.CharField()
    market_id = serializers.CharField()
    outcome_id = serializers.CharField()
    question = serializers.CharField(source="market__question")
    outcome_label = serializers.CharField(source="outcome__label")
    portfolio_kind = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField()
    model = serializers.CharField()
    p_model = PlainDecimal()
    p_price = PlainDecimal()
    ask = PlainDecimal(allow_null=True)
    fee_per_unit = PlainDecimal()
    edge_net = PlainDecimal(allow_null=True)
    order_id = serializers.CharField()
    attempts = serializers.IntegerField()
    made_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
