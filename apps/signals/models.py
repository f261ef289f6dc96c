"""Signals: what a model would do, with the edge and the gate's answer."""

from django.db import models

from apps.core.models import PrefixedIdField, price_field


class Signal(models.Model):
    """One model's side of one market at one moment, for one kind of portfolio. A shadow signal is made once per market."""

    id = PrefixedIdField(prefix="sig")
    forecast_id = models.CharField(max_length=40)
    market = models.ForeignKey("markets.Market", on_delete=models.PROTECT, related_name="+")
    outcome = models.ForeignKey("markets.Outcome", on_delete=models.PROTECT, related_name="+")
    portfolio_kind = models.CharField(max_length=8, choices=[("main", "main"), ("shadow", "shadow")])
    state = models.CharField(max_length=12, choices=[(s, s) for s in ("new", "suppressed", "taken", "denied", "expired")])
    reason = models.CharField(
        max_length=300, blank=True, help_text="why it was suppressed, denied or let expire, with the numbers"
    )
    model = models.CharField(max_length=60)
    p_model = price_field()
    p_price = price_field()
    ask = price_field(null=True)
    fee_per_unit = price_field(default=0)
    edge_net = price_field(null=True, help_text="p_model - ask - fee, per unit")
    order_id = models.CharField(max_length=40, blank=True)
    attempts = models.IntegerField(default=0)
    made_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("market",), condition=models.Q(portfolio_kind="shadow"), name="one_shadow_signal_per_market"
            ),
            models.UniqueConstraint(
                fields=("market",),
                condition=models.Q(portfolio_kind="main", state="suppressed"),
                name="one_suppression_per_market",
            ),
            models.UniqueConstraint(
                fields=("market",),
                condition=models.Q(portfolio_kind="main", state__in=("new", "taken")),
                name="one_live_main_signal_per_market",
            ),
        )
        indexes = (
            models.Index(fields=("attempts", "made_at"), condition=models.Q(state="new"), name="signal_new"),
            models.Index(fields=("-made_at",), name="signal_newest"),
        )
        ordering = ("-made_at",)

    def __str__(self) -> str:
        return f"{self.portfolio_kind} {self.outcome_id} {self.state}"
