"""Events, markets, outcomes, their quotes and results; instruments and their candles.

`Quote` is partitioned by day (the parent is made by SQL in the migration); the latest price of an outcome lives in
its own narrow row.
"""

from django.db import models

from apps.core.models import PrefixedIdField, price_field, units_field

MARKET_STATES = ("open", "closed", "resolved", "void")


class Event(models.Model):
    """The happening that markets are about."""

    id = PrefixedIdField(prefix="evt")
    source = models.CharField(max_length=30)
    source_key = models.CharField(max_length=120)
    title = models.CharField(max_length=300)
    category = models.CharField(max_length=100)
    starts_at = models.DateTimeField(null=True, blank=True)
    closes_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source", "source_key"), name="one_event_per_source_key"),)
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.title


class Instrument(models.Model):
    """Something with a price from which the desk rolls markets."""

    id = PrefixedIdField(prefix="ins")
    source = models.CharField(max_length=30)
    symbol = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20)
    currency = models.CharField(max_length=8)
    note = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source", "symbol"), name="one_instrument_per_symbol"),)
        ordering = ("symbol",)

    def __str__(self) -> str:
        return self.symbol


class Candle(models.Model):
    """One bar; `closes_at` is the moment of its close."""

    id = models.BigAutoField(primary_key=True)
    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="candles")
    closes_at = models.DateTimeField()
    open = price_field()
    high = price_field()
    low = price_field()
    close = price_field()
    volume = units_field(null=True, blank=True)
    is_final = models.BooleanField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("instrument", "closes_at"), name="one_candle_per_close"),)

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.closes_at:%Y-%m-%d %H:%M}"


class Market(models.Model):
    """A question whose outcomes pay. `binary` pays 0 to 1 a unit; `linear` pays the instrument's price at `closes_at`."""

    id = PrefixedIdField(prefix="mkt")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="markets")
    source = models.CharField(max_length=30)
    source_key = models.CharField(max_length=120)
    slug = models.CharField(max_length=200)
    question = models.CharField(max_length=400)
    category = models.CharField(max_length=100)
    pays = models.CharField(max_length=10, choices=[("binary", "binary"), ("linear", "linear")])
    instrument = models.ForeignKey(Instrument, null=True, blank=True, on_delete=models.PROTECT, related_name="markets")
    threshold = price_field(null=True, blank=True)
    horizon_bars = models.IntegerField(null=True, blank=True, help_text="bars from the making of a rolled market to its close")
    state = models.CharField(max_length=10, choices=[(s, s) for s in MARKET_STATES], default="open")
    accepts_orders = models.BooleanField(default=False)
    opens_at = models.DateTimeField(null=True, blank=True)
    closes_at = models.DateTimeField(help_text="the scheduled close")
    fee_rate = price_field(default=0)
    tick_size = price_field(default=0)
    min_units = units_field(default=0)
    volume = units_field(default=0)
    vendor_at = models.DateTimeField(null=True, blank=True, help_text="when the vendor last changed it, by its own clock")
    last_seen_at = models.DateTimeField(help_text="when the source last listed it")
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source", "source_key"), name="one_market_per_source_key"),)
        indexes = (
            models.Index(fields=("closes_at",), condition=models.Q(state__in=("open", "closed")), name="market_unresolved"),
            models.Index(fields=("-created_at",), name="market_newest"),
            models.Index(fields=("instrument", "horizon_bars", "-closes_at"), name="market_rolled"),
        )
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.question


class Outcome(models.Model):
    """One way a market can end."""

    id = PrefixedIdField(prefix="out")
    market = models.ForeignKey(Market, on_delete=models.CASCADE, related_name="outcomes")
    position = models.SmallIntegerField(help_text="0 is the first outcome: Yes, Up, Home")
    source_key = models.CharField(max_length=120)
    label = models.CharField(max_length=120)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("market", "position"), name="one_outcome_per_position"),
            models.UniqueConstraint(fields=("source_key",), condition=~models.Q(source_key=""), name="one_outcome_per_key"),
        )
        ordering = ("market", "position")

    def __str__(self) -> str:
        return self.label


class LatestPrice(models.Model):
    """The newest price of an outcome: one narrow row, updated in place."""

    outcome = models.OneToOneField(Outcome, primary_key=True, on_delete=models.CASCADE, related_name="latest")
    quote_id = models.BigIntegerField()
    bid = price_field(null=True)
    ask = price_field(null=True)
    bid_units = units_field(null=True)
    ask_units = units_field(null=True)
    vendor_at = models.DateTimeField()
    received_at = models.DateTimeField(help_text="when this price was first seen")
    confirmed_at = models.DateTimeField(help_text="when the vendor last answered with it")
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.outcome_id} {self.bid}/{self.ask}"


class Quote(models.Model):
    """One change of an outcome's book with its depth: append-only, partitioned by day of `received_at`, loaded by COPY."""

    id = models.BigIntegerField(primary_key=True)
    outcome = models.ForeignKey(Outcome, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    bid = price_field(null=True)
    ask = price_field(null=True)
    bids = models.JSONField(help_text='levels best first: [["0.51","205"], …]')
    asks = models.JSONField()
    venue = models.CharField(max_length=30)
    vendor_at = models.DateTimeField()
    received_at = models.DateTimeField()
    digest = models.CharField(max_length=64)

    class Meta:
        managed = False
        db_table = "markets_quote"

    def __str__(self) -> str:
        return f"{self.outcome_id} {self.bid}/{self.ask}"


class BookmakerOdds(models.Model):
    """One change of what a bookmaker offers on an outcome, in decimal odds: append-only, loaded by COPY."""

    id = models.BigAutoField(primary_key=True)
    outcome = models.ForeignKey(Outcome, on_delete=models.PROTECT, db_index=False, related_name="odds")
    bookmaker = models.CharField(max_length=60)
    odds = price_field()
    is_suspended = models.BooleanField(help_text="known and not to be taken")
    is_closing = models.BooleanField(help_text="the last odds before the start, where the source tells them apart")
    vendor_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    digest = models.CharField(max_length=32, help_text="of odds and state: the same again is not stored")

    class Meta:
        indexes = (models.Index(fields=("outcome", "bookmaker", "is_closing", "-id"), name="odds_newest"),)
        verbose_name_plural = "bookmaker odds"

    def __str__(self) -> str:
        return f"{self.outcome_id} {self.bookmaker} {self.odds}"


class Result(models.Model):
    """How a market ended, as believed; a restated result is a new row with the next revision."""

    id = PrefixedIdField(prefix="res")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="results")
    revision = models.IntegerField()
    kind = models.CharField(max_length=8, choices=[("final", "final"), ("void", "void")])
    payouts = models.JSONField(help_text="outcome id to payout per unit, as decimal strings")
    evidence = models.JSONField(help_text="what the source said, and when")
    observed_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("market", "revision"), name="one_result_per_revision"),)
        indexes = (models.Index(fields=("observed_at",), name="result_observed"),)
        ordering = ("-observed_at",)

    def __str__(self) -> str:
        return f"{self.market_id} r{self.revision}"
