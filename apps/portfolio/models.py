"""Portfolios, the positions in them, and the course of their equity."""

from django.db import models

from apps.core.models import PrefixedIdField, minor_field, units_field


class Portfolio(models.Model):
    """A tenant's main portfolio or its shadow (paper money apart from the main one, own ledger accounts)."""

    id = PrefixedIdField(prefix="pfl")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=[("main", "main"), ("shadow", "shadow")])
    currency = models.CharField(max_length=8)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "kind"), name="one_portfolio_per_kind"),)

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.kind}"


class Position(models.Model):
    """What a portfolio holds of one outcome."""

    id = PrefixedIdField(prefix="pos")
    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="positions")
    market = models.ForeignKey("markets.Market", on_delete=models.PROTECT, related_name="+")
    outcome = models.ForeignKey("markets.Outcome", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=[("open", "open"), ("closed", "closed")])
    units = units_field(default=0)
    cost_minor = minor_field(default=0, help_text="paid for the units still held, without fees")
    fees_minor = minor_field(default=0, help_text="fees paid for the units still held")
    realised_minor = minor_field(default=0, help_text="gain or loss booked so far, fees taken off")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("portfolio", "outcome"), name="one_position_per_outcome"),
            models.CheckConstraint(condition=models.Q(units__gte=0), name="position_units_not_negative"),
            models.CheckConstraint(
                condition=models.Q(state="open", units__gt=0) | models.Q(state="closed", units=0, cost_minor=0, fees_minor=0),
                name="position_open_holds_units",
            ),
        )
        indexes = (
            models.Index(fields=("market",), condition=models.Q(state="open"), name="position_open_of_market"),
            models.Index(fields=("portfolio",), condition=models.Q(state="open"), name="position_open_of_portfolio"),
        )
        ordering = ("-opened_at",)

    def __str__(self) -> str:
        return f"{self.outcome_id} {self.units}"


class EquityPoint(models.Model):
    """The book equity of a portfolio (cash and positions at cost) after one change. Append-only."""

    id = models.BigAutoField(primary_key=True)
    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    change_minor = minor_field()
    equity_minor = minor_field()
    peak_minor = minor_field(help_text="the highest equity until then")
    cause = models.CharField(max_length=20, help_text="capital, fill, settlement or reversal")
    by = models.CharField(max_length=120)

    class Meta:
        indexes = (models.Index(fields=("portfolio", "-id"), name="equity_point_latest"),)
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.equity_minor}"
