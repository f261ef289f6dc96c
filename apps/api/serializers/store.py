"""What the API shows of sources, markets and instruments."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.api.fields import PlainDecimal

Rows = serializers.Serializer[dict[str, Any]]

SOURCE_FIELDS = ("slug", "name", "state", "state_reason", "last_success_at", "last_error_at", "last_error")


class SourceSerializer(Rows):
    """A vendor as the desk sees it."""

    slug = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    state_reason = serializers.CharField()
    last_success_at = serializers.DateTimeField(allow_null=True)
    last_error_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField()


class MarketSerializer(Rows):
    """A question whose outcomes pay."""

    id = serializers.CharField()
    event_id = serializers.CharField()
    event_title = serializers.CharField(source="event__title")
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class
    source_key = serializers.CharField()
    slug = serializers.CharField()
    question = serializers.CharField()
    category = serializers.CharField()
    pays = serializers.CharField(help_text="binary: 0 to 1 a unit; linear: the instrument's price at the close")
    instrument_id = serializers.CharField(allow_null=True)
    symbol = serializers.CharField(source="instrument__symbol", allow_null=True)
    threshold = PlainDecimal(allow_null=True)
    horizon_bars = serializers.IntegerField(allow_null=True)
    state = serializers.CharField()
    accepts_orders = serializers.BooleanField()
    opens_at = serializers.DateTimeField(allow_null=True)
    closes_at = serializers.DateTimeField(help_text="the scheduled close")
    fee_rate = PlainDecimal()
    tick_size = PlainDecimal()
    min_units = PlainDecimal()
    volume = PlainDecimal()
    last_seen_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class OutcomeSerializer(Rows):
    """One way a market can end, with its newest price."""

    id = serializers.CharField()
    market_id = serializers.CharField()
    position = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class
    source_key = serializers.CharField()
    bid = PlainDecimal(source="latest__bid", allow_null=True)
    ask = PlainDecimal(source="latest__ask", allow_null=True)
    bid_units = PlainDecimal(source="latest__bid_units", allow_null=True)
    ask_units = PlainDecimal(source="latest__ask_units", allow_null=True)
    price_vendor_at = serializers.DateTimeField(source="latest__vendor_at", allow_null=True)
    price_received_at = serializers.DateTimeField(source="latest__received_at", allow_null=True)
    price_confirmed_at = serializers.DateTimeField(source="latest__confirmed_at", allow_null=True)


class LevelsField(serializers.ListField):
    """Levels of one side of a book, best first: pairs of price and units as decimal strings."""

    child = serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2)


class QuoteSerializer(Rows):
    """One change of an outcome's book, with its depth."""

    id = serializers.IntegerField()
    outcome_id = serializers.CharField()
    bid = PlainDecimal(allow_null=True)
    ask = PlainDecimal(allow_null=True)
    bids = LevelsField()
    asks = LevelsField()
    venue = serializers.CharField()
    vendor_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    digest = serializers.CharField()


class InstrumentSerializer(Rows):
    """Something with a price."""

    id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class
    symbol = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    currency = serializers.CharField()
    note = serializers.CharField()
    created_at = serializers.DateTimeField()


class CandleSerializer(Rows):
    """One bar."""

    id = serializers.IntegerField()
    instrument_id = serializers.CharField()
    symbol = serializers.CharField(source="instrument__symbol")
    closes_at = serializers.DateTimeField()
    open = PlainDecimal()
    high = PlainDecimal()
    low = PlainDecimal()
    close = PlainDecimal()
    volume = PlainDecimal(allow_null=True)
    is_final = serializers.BooleanField()
    received_at = serializers.DateTimeField()
