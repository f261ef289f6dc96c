"""Orders, their fills, and what the paper venue remembers of them."""

from django.db import models

from apps.core.models import Claimable, PrefixedIdField, minor_field, price_field, units_field

ORDER_STATES = ("accepted", "sending", "sent", "filled", "partly_filled", "rejected", "cancelled", "unknown")


class Order(Claimable):
    """One order. The row is the queue of record: state, attempts, next try, lease and fencing token."""

    id = PrefixedIdField(prefix="ord")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    portfolio = models.ForeignKey("portfolio.Portfolio", on_delete=models.PROTECT, related_name="+")
    market = models.ForeignKey("markets.Market", on_delete=models.PROTECT, related_name="+")
    outcome = models.ForeignKey("markets.Outcome", on_delete=models.PROTECT, related_name="+")
    decision_id = models.CharField(max_length=40)
    signal_id = models.CharField(max_length=40, blank=True)
    hold_id = models.CharField(max_length=40, blank=True)
    idempotency_key = models.CharField(max_length=120)
    side = models.CharField(max_length=4, choices=[("buy", "buy"), ("sell", "sell")])
    stake_minor = minor_field(null=True, help_text="most to spend on a buy, without fee")
    units = units_field(null=True, help_text="units of a sell")
    limit_price = price_field(null=True)
    venue = models.CharField(max_length=30)
    state = models.CharField(max_length=14, choices=[(s, s) for s in ORDER_STATES])
    reason = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    by = models.CharField(max_length=120)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "idempotency_key"), name="one_order_per_idempotency_key"),)
        indexes = (
            models.Index(
                fields=("next_try_at",),
                condition=models.Q(state__in=("accepted", "sending", "sent", "unknown")),
                name="order_unfinished",
            ),
        )
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.side} {self.outcome_id} {self.state}"


class Fill(models.Model):
    """What the venue gave for an order, with the evidence: the book and the levels taken. Append-only."""

    id = PrefixedIdField(prefix="fil")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    venue_fill_id = models.CharField(max_length=120)
    units = units_field()
    price = price_field(help_text="average")
    notional_minor = minor_field()
    fee_minor = minor_field()
    is_depth_limited = models.BooleanField()
    evidence = models.JSONField(help_text="quote id, its time and digest, the levels taken, latency")
    filled_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("order", "venue_fill_id"), name="one_fill_per_venue_id"),)
        ordering = ("-filled_at",)

    def __str__(self) -> str:
        return f"{self.units} at {self.price}"


class PaperOrder(models.Model):
    """The paper venue's own memory, keyed by our order id: asking it twice gives the same answer."""

    client_order_id = models.CharField(max_length=40, primary_key=True)
    outcome_id = models.CharField(max_length=40)
    request = models.JSONField()
    received_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="the moment whose book it meets: received plus latency")
    state = models.CharField(max_length=10, choices=[(s, s) for s in ("pending", "done", "rejected")])
    answer = models.JSONField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.client_order_id} {self.state}"
